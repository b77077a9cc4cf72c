package app;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.List;
import java.util.TreeMap;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.cloud.client.ServiceInstance;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.context.ConfigurableApplicationContext;

/**
 * A Spring Boot application with Spring Cloud Zookeeper's configuration and discovery. It answers questions on its
 * standard input, a line for a line: "get PROPERTY", "discover SERVICE".
 */
@SpringBootApplication
public class App {
    public static void main(String[] args) throws Exception {
        try (ConfigurableApplicationContext context = SpringApplication.run(App.class, args)) {
            System.out.println("ready");
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
            for (String line; (line = in.readLine()) != null; ) {
                String[] words = line.split(" ", 2);
                System.out.println("answer " + (words[0].equals("get")
                    ? context.getEnvironment().getProperty(words[1], "(none)")
                    : discover(context.getBean(DiscoveryClient.class), words[1])));
            }
        }
    }

    private static String discover(DiscoveryClient client, String service) {
        List<ServiceInstance> found = client.getInstances(service);
        StringBuilder text = new StringBuilder();
        for (ServiceInstance in : found) {
            text.append(in.getInstanceId()).append(' ').append(in.getUri()).append(' ')
                .append(new TreeMap<>(in.getMetadata())).append(';');
        }
        return text.toString();
    }
}
