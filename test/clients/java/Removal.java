import java.util.List;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/** Nodes that the server removes by itself: empty containers and nodes past their time. */
final class Removal {
    private final Checks checks;
    private ZooKeeper zk;
    private Events events;

    Removal(Checks checks) {
        this.checks = checks;
    }

    void run() throws Exception {
        try (Env.Client client = new Env.Client()) {
            zk = client.zk;
            events = client.events;
            zk.create("/removal", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            checks.check("container/removed", this::container);
            checks.check("ttl/removed", this::ttl);
            checks.check("ttl/range", this::ttlRange);
        }
    }

    private void container() throws Exception {
        zk.create("/removal/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
        zk.create("/removal/c/child", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.exists("/removal/c", true);
        zk.delete("/removal/c/child", -1);
        events.expect(EventType.NodeDeleted, "/removal/c");
        Checks.equal(null, zk.exists("/removal/c", false), "container");
    }

    /** It stays as long as it has children, and as long as it is written to. */
    private void ttl() throws Exception {
        zk.create("/removal/parent", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, new Stat(), 1);
        zk.create("/removal/parent/child", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.exists("/removal/t", true);
        zk.create("/removal/t", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, new Stat(), 300);
        events.expect(EventType.NodeCreated, "/removal/t");
        zk.exists("/removal/t", true);
        events.expect(EventType.NodeDeleted, "/removal/t");
        Checks.that(zk.exists("/removal/parent", true) != null, "a node with a child outlives its time");
        zk.delete("/removal/parent/child", -1);
        events.expect(EventType.NodeDeleted, "/removal/parent");
        String seq = zk.create("/removal/s", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, new Stat(), 300);
        if (zk.exists(seq, true) != null) {
            events.expect(EventType.NodeDeleted, seq);
        }
        Checks.equal(List.of(), zk.getChildren("/removal", false), "children");
    }

    private void ttlRange() throws Exception {
        long max = 0xffffffffffL;
        zk.create("/removal/max", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, new Stat(), max);
        Checks.equal(0L, zk.exists("/removal/max", false).getEphemeralOwner(), "ephemeralOwner shown");
        zk.delete("/removal/max", -1);
        for (CreateMode mode : List.of(CreateMode.CONTAINER, CreateMode.PERSISTENT)) {
            try {
                zk.create("/removal/x", null, Ids.OPEN_ACL_UNSAFE, mode, new Stat(), 5);
                Checks.that(false, "a TTL for " + mode + " was taken");
            } catch (IllegalArgumentException expected) {
                // refused by the client itself
            }
        }
        Checks.refused(Code.NONODE, () ->
                zk.create("/removal/x/y", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, new Stat(), 5));
    }
}
