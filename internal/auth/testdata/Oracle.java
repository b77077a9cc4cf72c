import java.nio.charset.StandardCharsets;
import java.lang.reflect.Field;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import javax.security.auth.callback.Callback;
import javax.security.auth.x500.X500Principal;
import javax.security.sasl.AuthorizeCallback;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.server.PrepRequestProcessor;
import org.apache.zookeeper.server.ZooKeeperServer;
import org.apache.zookeeper.server.auth.AuthenticationProvider;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;
import org.apache.zookeeper.server.auth.KerberosName;
import org.apache.zookeeper.server.auth.ProviderRegistry;
import org.apache.zookeeper.server.auth.SaslServerCallbackHandler;

/**
 * Asks Apache's classes. A line on standard input is an operation and its
 * arguments, each in base64, separated by blanks; a line on standard output is
 * the result, its parts in base64 likewise, each behind an equals sign.
 */
public class Oracle {
    public static void main(String[] args) throws Exception {
        PrintStream answers = System.out;
        System.setOut(new PrintStream(OutputStream.nullOutputStream())); // the log goes there
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ", -1);
            List<byte[]> raw = new ArrayList<>();
            List<String> text = new ArrayList<>();
            for (int i = 1; i < words.length; i++) {
                raw.add(Base64.getDecoder().decode(words[i]));
                text.add(new String(raw.get(i - 1), StandardCharsets.UTF_8));
            }
            StringBuilder out = new StringBuilder();
            for (String s : ask(words[0], raw, text)) {
                out.append(out.length() == 0 ? "=" : " =");
                out.append(Base64.getEncoder().encodeToString(s.getBytes(StandardCharsets.UTF_8)));
            }
            answers.println(out);
        }
    }

    static List<String> ask(String op, List<byte[]> raw, List<String> a) throws Exception {
        switch (op) {
        case "valid":
            return List.of("" + ProviderRegistry.getProvider(a.get(0)).isValid(a.get(1)));
        case "match":
            return List.of("" + ProviderRegistry.getProvider(a.get(0)).matches(a.get(1), a.get(2)));
        case "user":
            return List.of(ProviderRegistry.getProvider(a.get(0)).getUserName(a.get(1)));
        case "digest":
            List<Id> ids = ((AuthenticationProvider) new DigestAuthenticationProvider())
                .handleAuthentication((javax.servlet.http.HttpServletRequest) null, raw.get(0));
            return flatten(ids);
        case "mask":
            return List.of(a.get(0).replaceAll(":.*", ":x"));
        case "order":
            Set<Id> set = Collections.newSetFromMap(new ConcurrentHashMap<>());
            set.addAll(new ArrayList<>(toIds(a)));
            return flatten(new ArrayList<>(set));
        case "name":
            return List.of(new X500Principal(raw.get(0)).getName());
        case "kerberos":
            return List.of(kerberos(a));
        case "fixup":
            return fixup(a);
        case "check":
            return List.of("" + check(a));
        default:
            throw new IllegalArgumentException(op);
        }
    }

    static List<Id> toIds(List<String> a) {
        List<Id> ids = new ArrayList<>();
        for (int i = 0; i + 1 < a.size(); i += 2) {
            ids.add(new Id(a.get(i), a.get(i + 1)));
        }
        return ids;
    }

    static List<String> flatten(List<Id> ids) {
        List<String> out = new ArrayList<>();
        for (Id id : ids) {
            out.add(id.getScheme());
            out.add(id.getId());
        }
        return out;
    }

    /** Arguments: number of ids, the ids, then perms, scheme and id of each entry. */
    static List<ACL> acls(List<String> a, List<Id> ids) {
        int n = Integer.parseInt(a.get(0));
        ids.addAll(toIds(a.subList(1, 1 + 2 * n)));
        List<ACL> list = new ArrayList<>();
        for (int i = 1 + 2 * n; i < a.size(); i += 3) {
            list.add(new ACL(Integer.parseInt(a.get(i)), new Id(a.get(i + 1), a.get(i + 2))));
        }
        return list;
    }

    static List<String> fixup(List<String> a) {
        List<Id> ids = new ArrayList<>();
        List<ACL> list = acls(a, ids);
        try {
            List<String> out = new ArrayList<>();
            for (ACL e : PrepRequestProcessor.fixupACL("/p", ids, list)) {
                out.add("" + e.getPerms());
                out.add(e.getId().getScheme());
                out.add(e.getId().getId());
            }
            return out;
        } catch (KeeperException.InvalidACLException e) {
            return List.of("invalid");
        }
    }

    static ZooKeeperServer server;

    /** Arguments: the permission, then as for fixup. */
    static boolean check(List<String> a) throws Exception {
        if (server == null) {
            server = new ZooKeeperServer();
        }
        List<Id> ids = new ArrayList<>();
        List<ACL> list = acls(a.subList(1, a.size()), ids);
        try {
            server.checkACL(null, list, Integer.parseInt(a.get(0)), ids, "/p", null);
            return true;
        } catch (KeeperException.NoAuthException e) {
            return false;
        }
    }

    /** Arguments: rules, default realm, removeHost, removeRealm, name. */
    static String kerberos(List<String> a) throws Exception {
        System.setProperty("zookeeper.kerberos.removeHostFromPrincipal", a.get(2));
        System.setProperty("zookeeper.kerberos.removeRealmFromPrincipal", a.get(3));
        try {
            System.setProperty("zookeeper.security.auth_to_local", "DEFAULT");
            Field realm = KerberosName.class.getDeclaredField("defaultRealm");
            realm.setAccessible(true);
            realm.set(null, a.get(1));
            System.setProperty("zookeeper.security.auth_to_local", a.get(0));
            KerberosName.setConfiguration();
        } catch (RuntimeException e) {
            return "!rules";
        }
        try {
            AuthorizeCallback cb = new AuthorizeCallback(a.get(4), a.get(4));
            new SaslServerCallbackHandler(Collections.emptyMap()).handle(new Callback[] {cb});
            return cb.getAuthorizedID();
        } catch (RuntimeException e) {
            return "!name";
        }
    }
}
