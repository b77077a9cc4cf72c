import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.NameCallback;
import javax.security.auth.callback.PasswordCallback;
import javax.security.sasl.RealmCallback;
import javax.security.sasl.Sasl;
import javax.security.sasl.SaslClient;
import javax.security.sasl.SaslException;

/**
 * The DIGEST-MD5 client of the JDK, made as ZooKeeper's Java client makes it.
 * A line on standard input begins an exchange ("begin USER PASSWORD AUTHZID",
 * in base64 each) or is the server's token ("step TOKEN"). The answer is
 * "token TOKEN DONE", or "error MESSAGE".
 */
public class DigestClient {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        SaslClient client = null;
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ", -1);
            try {
                byte[] token = new byte[0];
                if (words[0].equals("begin")) {
                    client = begin(text(words[1]), text(words[2]), text(words[3]));
                    if (client.hasInitialResponse()) {
                        token = client.evaluateChallenge(token);
                    }
                } else {
                    token = client.evaluateChallenge(Base64.getDecoder().decode(words[1]));
                }
                String answer = token == null ? "" : Base64.getEncoder().encodeToString(token);
                System.out.println("token " + answer + " " + client.isComplete());
            } catch (SaslException e) {
                System.out.println("error " + e.getMessage());
            }
        }
    }

    static String text(String word) {
        return new String(Base64.getDecoder().decode(word), StandardCharsets.UTF_8);
    }

    static SaslClient begin(String user, String password, String authzid) throws SaslException {
        String asked = authzid.isEmpty() ? null : authzid;
        return Sasl.createSaslClient(new String[] {"DIGEST-MD5"}, asked, "zookeeper", "zk-sasl-md5", null, callbacks -> {
            for (Callback cb : callbacks) {
                if (cb instanceof NameCallback) {
                    ((NameCallback) cb).setName(user);
                } else if (cb instanceof PasswordCallback) {
                    ((PasswordCallback) cb).setPassword(password.toCharArray());
                } else if (cb instanceof RealmCallback) {
                    RealmCallback rc = (RealmCallback) cb;
                    rc.setText(rc.getDefaultText());
                }
            }
        });
    }
}
