import static org.apache.zookeeper.KeeperException.Code;

import java.util.List;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.admin.ZooKeeperAdmin;
import org.apache.zookeeper.data.ClientInfo;
import org.apache.zookeeper.data.Stat;

/** The configuration node, reconfig on a single server, who the client is. */
final class Admin {
    private final Checks checks;

    Admin(Checks checks) {
        this.checks = checks;
    }

    void run() throws Exception {
        checks.check("config", this::config);
        checks.check("reconfig", this::reconfig);
        checks.check("whoami", this::whoAmI);
    }

    private void config() throws Exception {
        try (Env.Client client = new Env.Client()) {
            Stat stat = new Stat();
            byte[] data = client.zk.getConfig(false, stat);
            Checks.equal(0, data == null ? 0 : data.length, "configuration of a single server");
            Checks.equal(0, stat.getVersion(), "version: nobody wrote it");
            Checks.equal(
                    java.util.Arrays.asList(new org.apache.zookeeper.data.ACL(ZooDefs.Perms.READ, ZooDefs.Ids.ANYONE_ID_UNSAFE)),
                    client.zk.getACL(ZooDefs.CONFIG_NODE, null), "ACL");
        }
    }

    private void reconfig() throws Exception {
        Events events = new Events();
        try (ZooKeeperAdmin admin = new ZooKeeperAdmin(Env.SERVER, Env.TIMEOUT_MS, events, Env.plain())) {
            events.await(Watcher.Event.KeeperState.SyncConnected);
            admin.addAuthInfo("digest", Acls.SUPER.getBytes());
            Checks.refused(Code.RECONFIGDISABLED, () ->
                    admin.reconfigure("server.2=127.0.0.1:2888:3888;2181", null, null, -1, new Stat()));
            Checks.refused(Code.RECONFIGDISABLED, () -> admin.reconfigure(null, "1", null, -1, new Stat()));
            Checks.that(admin.exists("/", false) != null, "the connection lives on");
        }
    }

    private void whoAmI() throws Exception {
        try (Env.Client client = new Env.Client()) {
            Checks.equal(List.of("ip:127.0.0.1"), ids(client.zk), "without authentication");
            client.zk.addAuthInfo("digest", "ann:secret".getBytes());
            client.zk.addAuthInfo("digest", "bob:secret".getBytes());
            Checks.equal(List.of("digest:ann", "digest:bob", "ip:127.0.0.1"), ids(client.zk), "with two names");
        }
    }

    /** Scheme and user of all identities, sorted. */
    static List<String> ids(ZooKeeper zk) throws Exception {
        return zk.whoAmI().stream().map(Admin::id).sorted().collect(java.util.stream.Collectors.toList());
    }

    private static String id(ClientInfo info) {
        return info.getAuthScheme() + ":" + info.getUser();
    }
}
