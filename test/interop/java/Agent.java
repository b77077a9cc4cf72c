import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.ExponentialBackoffRetry;

/**
 * Runs Curator's recipes as it is told. A line "SEQ HANDLE OPERATION ARG..." begins an operation, a line "SEQ ok RESULT"
 * or "SEQ error WHY" ends it. The operations of one handle take place one after another, on one thread: Curator's locks
 * belong to threads. An empty argument is "-".
 */
public final class Agent {
    private static final PrintStream OUT = System.out;

    public static void main(String[] args) throws Exception {
        CuratorFramework curator = CuratorFrameworkFactory.builder().connectString(args[0]).sessionTimeoutMs(30_000)
                .retryPolicy(new ExponentialBackoffRetry(50, 10)).build();
        curator.start();
        if (!curator.blockUntilConnected(60, TimeUnit.SECONDS)) {
            throw new IllegalStateException("no connection to " + args[0]);
        }
        Operations operations = new Operations(curator);
        Map<String, ExecutorService> threads = new ConcurrentHashMap<>();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        answer("0 ok connected");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            List<String> words = Arrays.asList(line.split(" "));
            threads.computeIfAbsent(words.get(1), h -> Executors.newSingleThreadExecutor()).execute(() -> run(operations, words));
        }
        curator.close(); // ephemerals go with it
        System.exit(0);
    }

    private static void run(Operations operations, List<String> words) {
        String seq = words.get(0);
        String[] args = words.subList(3, words.size()).stream().map(a -> a.equals("-") ? "" : a).toArray(String[]::new);
        try {
            answer(seq + " ok " + operations.run(words.get(1), words.get(2), args));
        } catch (Throwable e) {
            e.printStackTrace();
            answer(seq + " error " + String.valueOf(e).replace('\n', ' '));
        }
    }

    private static synchronized void answer(String line) {
        OUT.println(line);
        OUT.flush();
    }
}
