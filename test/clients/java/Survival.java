import java.util.ArrayList;
import java.util.List;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/** The server is killed and comes back on the same data: sessions, what they own and what they watch go on. */
final class Survival {
    private final Checks checks;
    private Env.Client client;
    private Env.Client tls;
    private ZooKeeper zk;
    private long session;
    private final List<Stat> stats = new ArrayList<>();
    private final Events data = new Events(), exist = new Events(), child = new Events();
    private final Events always = new Events(), deep = new Events();
    private CuratorFramework curator;
    private InterProcessMutex mutex;
    private LeaderLatch latch;

    Survival(Checks checks) {
        this.checks = checks;
    }

    void run() throws Exception {
        client = new Env.Client();
        zk = client.zk;
        checks.check("survival/prepare", this::prepare);
        checks.check("survival/kill", this::kill);
        checks.check("survival/session", this::session);
        checks.check("survival/data", this::data);
        checks.check("survival/watches", this::watches);
        checks.check("survival/authentication", this::authentication);
        checks.check("survival/sequence", this::sequence);
        checks.check("survival/tls", this::tls);
        checks.check("survival/recipes", this::recipes);
        checks.check("survival/twice", this::twice);
        tls.close();
        latch.close();
        curator.close();
        client.close();
        checks.check("survival/closed-session", this::closedSession);
    }

    private void node(String path) throws Exception {
        zk.create(path, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    private void prepare() throws Exception {
        session = zk.getSessionId();
        zk.addAuthInfo("digest", "eve:secret".getBytes());
        node("/s");
        for (CreateMode mode : CreateMode.values()) {
            Stat stat = new Stat();
            if (Nodes.isTtl(mode)) {
                zk.create("/s/" + mode, "1".getBytes(), Ids.OPEN_ACL_UNSAFE, mode, stat, 1_000_000);
            } else {
                zk.create("/s/" + mode, "1".getBytes(), Ids.OPEN_ACL_UNSAFE, mode, stat);
            }
        }
        zk.create("/s/private", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        zk.setData("/s/PERSISTENT", "2".getBytes(), 0);
        node("/s/watched");
        node("/s/seq");
        zk.create("/s/seq/n", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL);
        for (String name : names()) {
            stats.add(zk.exists("/s/" + name, false));
        }
        zk.getData("/s/watched", data, null);
        zk.exists("/s/absent", exist);
        zk.getChildren("/s/watched", child);
        zk.addWatch("/s/watched", always, AddWatchMode.PERSISTENT);
        zk.addWatch("/s", deep, AddWatchMode.PERSISTENT_RECURSIVE);
        tls = new Env.Client(Env.SECURE, Env.TIMEOUT_MS, Secure.tlsConfig());
        curator = Recipes.start(Env.SERVER);
        mutex = new InterProcessMutex(curator, "/curator/survival-mutex");
        mutex.acquire();
        latch = new LeaderLatch(curator, "/curator/survival-latch", "a");
        latch.start();
        latch.await();
    }

    private List<String> names() throws Exception {
        List<String> names = new ArrayList<>(zk.getChildren("/s", false));
        java.util.Collections.sort(names);
        return names;
    }

    private void kill() throws Exception {
        Env.control("kill");
        client.events.await(KeeperState.Disconnected);
        Checks.refused(Code.CONNECTIONLOSS, () -> zk.exists("/s", false));
        Env.control("start");
        client.events.await(KeeperState.SyncConnected);
    }

    private void session() throws Exception {
        Checks.equal(session, zk.getSessionId(), "session");
        Checks.equal(session, zk.exists("/s/EPHEMERAL", false).getEphemeralOwner(), "owner");
        Checks.equal(2, zk.getEphemerals("/s").size(), "ephemerals");
    }

    /** Every stat is what it was, to the field. */
    private void data() throws Exception {
        List<String> names = names();
        Checks.equal(stats.size(), names.size(), "nodes");
        for (int i = 0; i < names.size(); i++) {
            Checks.equal(stats.get(i), zk.exists("/s/" + names.get(i), false), names.get(i));
        }
        Checks.equal("2".getBytes(), zk.getData("/s/PERSISTENT", false, null), "data");
    }

    private void watches() throws Exception {
        zk.setData("/s/watched", null, -1);
        data.expect(EventType.NodeDataChanged, "/s/watched");
        always.expect(EventType.NodeDataChanged, "/s/watched");
        deep.expect(EventType.NodeDataChanged, "/s/watched");
        node("/s/absent");
        exist.expect(EventType.NodeCreated, "/s/absent");
        deep.expect(EventType.NodeCreated, "/s/absent");
        node("/s/watched/c");
        child.expect(EventType.NodeChildrenChanged, "/s/watched");
        always.expect(EventType.NodeChildrenChanged, "/s/watched");
        deep.expect(EventType.NodeCreated, "/s/watched/c");
    }

    private void authentication() throws Exception {
        Checks.equal(List.of("digest:eve", "ip:127.0.0.1"), Admin.ids(zk), "identities");
        zk.setData("/s/private", null, -1);
        try (Env.Client other = new Env.Client()) {
            Checks.refused(Code.NOAUTH, () -> other.zk.getData("/s/private", false, null));
        }
    }

    private void sequence() throws Exception {
        Checks.equal("/s/seq/n0000000001",
                zk.create("/s/seq/n", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL), "next");
    }

    private void tls() throws Exception {
        tls.events.await(KeeperState.SyncConnected);
        Checks.equal(List.of("ip:127.0.0.1", "x509:CN=quoll-client"), Admin.ids(tls.zk), "identities");
    }

    private void recipes() throws Exception {
        Checks.that(mutex.isOwnedByCurrentThread(), "the lock is held");
        try (CuratorFramework other = Recipes.start(Env.SERVER)) {
            Checks.that(!new InterProcessMutex(other, "/curator/survival-mutex")
                    .acquire(200, java.util.concurrent.TimeUnit.MILLISECONDS), "nobody else gets it");
        }
        mutex.release();
        Env.until("the leader leads again", latch::hasLeadership);
    }

    /** A second crash, with changes since the first. */
    private void twice() throws Exception {
        zk.setData("/s/PERSISTENT", "3".getBytes(), 1);
        zk.delete("/s/PERSISTENT_WITH_TTL", -1);
        zk.getData("/s/watched", data, null);
        kill();
        session();
        Checks.equal("3".getBytes(), zk.getData("/s/PERSISTENT", false, null), "data");
        Checks.equal(null, zk.exists("/s/PERSISTENT_WITH_TTL", false), "deleted");
        zk.setData("/s/watched", null, -1);
        data.expect(EventType.NodeDataChanged, "/s/watched");
    }

    private void closedSession() throws Exception {
        try (Env.Client other = new Env.Client()) {
            Checks.equal(null, other.zk.exists("/s/EPHEMERAL", false), "the ephemeral of the closed session");
        }
    }
}
