import static org.apache.zookeeper.KeeperException.Code;

import java.util.Arrays;
import java.util.List;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.client.ZKClientConfig;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;

/** TLS with client certificates, and SASL by DIGEST-MD5. */
final class Secure {
    private final Checks checks;

    Secure(Checks checks) {
        this.checks = checks;
    }

    void run() {
        checks.check("tls/identity", this::tls);
        checks.check("tls/watch-and-load", this::tlsLoad);
        checks.check("tls/plain-port-is-not-tls", this::tlsOnPlainPort);
        checks.check("sasl/identity", this::sasl);
        checks.check("sasl/acl", this::saslAcl);
        checks.check("sasl/wrong-password", this::saslWrong);
        checks.check("sasl/over-tls", this::saslOverTls);
    }

    static ZKClientConfig tlsConfig() {
        ZKClientConfig config = Env.plain();
        config.setProperty(ZKClientConfig.ZOOKEEPER_CLIENT_CNXN_SOCKET, "org.apache.zookeeper.ClientCnxnSocketNetty");
        config.setProperty(ZKClientConfig.SECURE_CLIENT, "true");
        config.setProperty("zookeeper.ssl.keyStore.location", Env.CERTS + "/client.pem");
        config.setProperty("zookeeper.ssl.keyStore.type", "PEM");
        config.setProperty("zookeeper.ssl.trustStore.location", Env.CERTS + "/ca.pem");
        config.setProperty("zookeeper.ssl.trustStore.type", "PEM");
        return config;
    }

    /** section is a section of the login configuration that the harness wrote. */
    private static ZKClientConfig saslConfig(ZKClientConfig config, String section) {
        config.setProperty(ZKClientConfig.ENABLE_CLIENT_SASL_KEY, "true");
        config.setProperty(ZKClientConfig.LOGIN_CONTEXT_NAME_KEY, section);
        return config;
    }

    private void tls() throws Exception {
        try (Env.Client client = new Env.Client(Env.SECURE, Env.TIMEOUT_MS, tlsConfig()); Env.Client plain = new Env.Client()) {
            Checks.equal(List.of("ip:127.0.0.1", "x509:CN=quoll-client"), Admin.ids(client.zk), "identities");
            client.zk.create("/tls", "t".getBytes(), Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
            Checks.equal(Arrays.asList(new ACL(Perms.ALL, new Id("x509", "CN=quoll-client"))), client.zk.getACL("/tls", null), "ACL");
            Checks.equal("t".getBytes(), client.zk.getData("/tls", false, null), "data");
            Checks.refused(Code.NOAUTH, () -> plain.zk.getData("/tls", false, null));
        }
    }

    private void tlsLoad() throws Exception {
        try (Env.Client client = new Env.Client(Env.SECURE, Env.TIMEOUT_MS, tlsConfig()); Env.Client plain = new Env.Client()) {
            byte[] big = new byte[500_000];
            big[499_999] = 1;
            client.zk.create("/tls-load", big, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            for (int i = 0; i < 5; i++) {
                client.zk.getData("/tls-load", true, null);
                plain.zk.setData("/tls-load", big, i);
                client.events.expect(EventType.NodeDataChanged, "/tls-load");
            }
            Checks.equal(big, client.zk.getData("/tls-load", false, null), "data");
        }
    }

    private void tlsOnPlainPort() throws Exception {
        ZooKeeper zk = new ZooKeeper(Env.SERVER, 2000, event -> { }, tlsConfig());
        try {
            Checks.refused(Code.CONNECTIONLOSS, () -> zk.exists("/", false));
        } finally {
            zk.close();
        }
    }

    private void sasl() throws Exception {
        try (Env.Client client = new Env.Client(Env.SERVER, Env.TIMEOUT_MS, saslConfig(Env.plain(), "Alice"))) {
            client.events.await(KeeperState.SaslAuthenticated);
            Checks.equal(List.of("ip:127.0.0.1", "sasl:alice"), Admin.ids(client.zk), "identities");
        }
    }

    private void saslAcl() throws Exception {
        try (Env.Client alice = new Env.Client(Env.SERVER, Env.TIMEOUT_MS, saslConfig(Env.plain(), "Alice"));
                Env.Client bob = new Env.Client(Env.SERVER, Env.TIMEOUT_MS, saslConfig(Env.plain(), "Bob"));
                Env.Client nobody = new Env.Client()) {
            alice.zk.create("/sasl", "s".getBytes(), Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
            Checks.equal(Arrays.asList(new ACL(Perms.ALL, new Id("sasl", "alice"))), alice.zk.getACL("/sasl", null), "ACL");
            Checks.refused(Code.NOAUTH, () -> bob.zk.getData("/sasl", false, null));
            Checks.refused(Code.NOAUTH, () -> nobody.zk.getData("/sasl", false, null));
            alice.zk.setACL("/sasl", Arrays.asList(new ACL(Perms.READ, new Id("sasl", "bob"))), 0);
            Checks.equal("s".getBytes(), bob.zk.getData("/sasl", false, null), "data");
            Checks.refused(Code.NOAUTH, () -> alice.zk.getData("/sasl", false, null));
        }
    }

    private void saslWrong() throws Exception {
        Events events = new Events();
        ZooKeeper zk = new ZooKeeper(Env.SERVER, Env.TIMEOUT_MS, events, saslConfig(Env.plain(), "Mallory"));
        try {
            events.await(KeeperState.AuthFailed);
            try {
                zk.exists("/", false);
                Checks.that(false, "a client that failed SASL was served");
            } catch (KeeperException.AuthFailedException | KeeperException.ConnectionLossException
                    | KeeperException.SessionExpiredException expected) {
                // which of them depends on when the client saw the end of its connection
            }
        } finally {
            zk.close();
        }
    }

    private void saslOverTls() throws Exception {
        try (Env.Client client = new Env.Client(Env.SECURE, Env.TIMEOUT_MS, saslConfig(tlsConfig(), "Alice"))) {
            client.events.await(KeeperState.SaslAuthenticated);
            Checks.equal(List.of("ip:127.0.0.1", "sasl:alice", "x509:CN=quoll-client"), Admin.ids(client.zk), "identities");
        }
    }
}
