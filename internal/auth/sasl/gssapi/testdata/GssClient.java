import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import java.security.PrivilegedExceptionAction;
import javax.security.auth.Subject;
import javax.security.auth.login.AppConfigurationEntry;
import javax.security.auth.login.Configuration;
import javax.security.auth.login.LoginContext;
import javax.security.sasl.Sasl;
import javax.security.sasl.SaslClient;

/**
 * The GSSAPI client of the JDK, made as ZooKeeper's Java client makes it.
 * Arguments: principal, keytab, service, host, identity to be taken for, and
 * whether the server must prove itself. Standard output has the client's tokens
 * and standard input the server's, a line in base64 each; "done" is the last
 * line of output.
 */
public class GssClient {
    public static void main(String[] args) throws Exception {
        Map<String, String> options = Map.of("useKeyTab", "true", "storeKey", "true", "keyTab", args[1],
            "principal", args[0], "refreshKrb5Config", "true", "isInitiator", "true");
        LoginContext login = new LoginContext("Client", null, null, new Configuration() {
            @Override
            public AppConfigurationEntry[] getAppConfigurationEntry(String name) {
                return new AppConfigurationEntry[] {new AppConfigurationEntry(
                    "com.sun.security.auth.module.Krb5LoginModule",
                    AppConfigurationEntry.LoginModuleControlFlag.REQUIRED, options)};
            }
        });
        login.login();
        Subject.doAs(login.getSubject(), (PrivilegedExceptionAction<Void>) () -> {
            converse(args);
            return null;
        });
    }

    static void converse(String[] args) throws Exception {
        SaslClient client = Sasl.createSaslClient(new String[] {"GSSAPI"}, args[4], args[2], args[3],
            Map.of(Sasl.SERVER_AUTH, args[5]), callbacks -> { });
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        byte[] token = client.hasInitialResponse() ? client.evaluateChallenge(new byte[0]) : new byte[0];
        while (true) {
            System.out.println(Base64.getEncoder().encodeToString(token == null ? new byte[0] : token));
            if (client.isComplete()) {
                System.out.println("done");
                return;
            }
            token = client.evaluateChallenge(Base64.getDecoder().decode(in.readLine()));
        }
    }
}
