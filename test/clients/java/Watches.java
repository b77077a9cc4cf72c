import java.util.Arrays;
import java.util.List;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.Watcher.WatcherType;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Stat;

/** Every kind of watch: what it sees, in which order, and when it ends. */
final class Watches {
    private final Checks checks;
    private ZooKeeper zk;
    private Events events;

    Watches(Checks checks) {
        this.checks = checks;
    }

    void run() throws Exception {
        try (Env.Client client = new Env.Client()) {
            zk = client.zk;
            events = client.events;
            node("/w");
            checks.check("watch/exists", this::exists);
            checks.check("watch/data", this::data);
            checks.check("watch/children", this::children);
            checks.check("watch/one-shot", this::oneShot);
            checks.check("watch/deleted-once", this::deletedOnce);
            checks.check("watch/zxid", this::zxid);
            checks.check("watch/acl", this::acl);
            checks.check("watch/persistent", this::persistent);
            checks.check("watch/recursive", this::recursive);
            checks.check("watch/mixed", this::mixed);
            checks.check("watch/remove", this::remove);
            checks.check("watch/remove-all", this::removeAll);
            checks.check("watch/remove-errors", this::removeErrors);
            checks.check("watch/session-end", this::sessionEnd);
            checks.check("watch/reconnect", this::reconnect);
        }
    }

    private void node(String path) throws Exception {
        zk.create(path, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    private void set(String path) throws Exception {
        zk.setData(path, "x".getBytes(), -1);
    }

    private void exists() throws Exception {
        Checks.equal(null, zk.exists("/w/e", true), "absent");
        node("/w/e");
        events.expect(EventType.NodeCreated, "/w/e");
        zk.exists("/w/e", true);
        set("/w/e");
        events.expect(EventType.NodeDataChanged, "/w/e");
        zk.exists("/w/e", true);
        node("/w/e/child");
        zk.delete("/w/e/child", -1);
        zk.setACL("/w/e", Ids.OPEN_ACL_UNSAFE, -1);
        zk.delete("/w/e", -1);
        events.expect(EventType.NodeDeleted, "/w/e");
    }

    private void data() throws Exception {
        node("/w/d");
        zk.getData("/w/d", true, null);
        set("/w/d");
        events.expect(EventType.NodeDataChanged, "/w/d");
        zk.getData("/w/d", true, null);
        zk.delete("/w/d", -1);
        events.expect(EventType.NodeDeleted, "/w/d");
        Checks.refused(Code.NONODE, () -> zk.getData("/w/d", true, null));
        node("/w/d"); // a refused getData leaves no watch
        zk.delete("/w/d", -1);
        zk.exists("/w", false);
        events.none();
    }

    private void children() throws Exception {
        node("/w/c");
        zk.getChildren("/w/c", true);
        set("/w/c");
        node("/w/c/a");
        events.expect(EventType.NodeChildrenChanged, "/w/c");
        zk.getChildren("/w/c", true, new Stat());
        zk.delete("/w/c/a", -1);
        events.expect(EventType.NodeChildrenChanged, "/w/c");
        zk.getChildren("/w/c", true);
        zk.delete("/w/c", -1);
        events.expect(EventType.NodeDeleted, "/w/c");
    }

    private void oneShot() throws Exception {
        node("/w/once");
        zk.getData("/w/once", true, null);
        zk.exists("/w/once", true);
        set("/w/once");
        set("/w/once");
        zk.exists("/w/once", false);
        events.expect(EventType.NodeDataChanged, "/w/once");
        events.none();
    }

    /** A session that watches data and children of a node hears of its deletion once. */
    private void deletedOnce() throws Exception {
        node("/w/both");
        zk.getData("/w/both", true, null);
        zk.getChildren("/w/both", true);
        zk.delete("/w/both", -1);
        events.expect(EventType.NodeDeleted, "/w/both");
        zk.exists("/w", false);
        events.none();
    }

    private void zxid() throws Exception {
        node("/w/z");
        zk.getData("/w/z", true, null);
        Stat stat = zk.setData("/w/z", null, -1);
        WatchedEvent event = events.expect(EventType.NodeDataChanged, "/w/z");
        Checks.equal(stat.getMzxid(), event.getZxid(), "zxid in the event");
    }

    /** Who may not read a node is not told that it changed. */
    private void acl() throws Exception {
        try (Env.Client owner = new Env.Client()) {
            owner.zk.addAuthInfo("digest", "owner:secret".getBytes());
            owner.zk.create("/w/acl", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            zk.getData("/w/acl", true, null);
            owner.zk.setACL("/w/acl", Arrays.asList(new ACL(Perms.ALL, Ids.AUTH_IDS)), -1);
            owner.zk.setData("/w/acl", null, -1);
            zk.exists("/w/sentinel", true);
            owner.zk.create("/w/sentinel", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            events.expect(EventType.NodeCreated, "/w/sentinel");
            owner.zk.delete("/w/acl", -1);
        }
    }

    private void persistent() throws Exception {
        zk.addWatch("/w/p", events, AddWatchMode.PERSISTENT);
        node("/w/p");
        events.expect(EventType.NodeCreated, "/w/p");
        for (int i = 0; i < 3; i++) {
            set("/w/p");
            events.expect(EventType.NodeDataChanged, "/w/p");
        }
        node("/w/p/c");
        events.expect(EventType.NodeChildrenChanged, "/w/p");
        set("/w/p/c");
        zk.delete("/w/p/c", -1);
        events.expect(EventType.NodeChildrenChanged, "/w/p");
        zk.delete("/w/p", -1);
        events.expect(EventType.NodeDeleted, "/w/p");
        node("/w/p");
        events.expect(EventType.NodeCreated, "/w/p");
        zk.removeWatches("/w/p", events, WatcherType.Any, false);
        events.expect(EventType.PersistentWatchRemoved, "/w/p");
        set("/w/p");
        zk.exists("/w/p", false);
        events.none();
    }

    private void recursive() throws Exception {
        node("/w/r");
        zk.addWatch("/w/r", events, AddWatchMode.PERSISTENT_RECURSIVE);
        node("/w/r/a");
        events.expect(EventType.NodeCreated, "/w/r/a");
        node("/w/r/a/b");
        events.expect(EventType.NodeCreated, "/w/r/a/b");
        set("/w/r/a/b");
        events.expect(EventType.NodeDataChanged, "/w/r/a/b");
        set("/w/r");
        events.expect(EventType.NodeDataChanged, "/w/r");
        node("/w/rest");
        zk.delete("/w/r/a/b", -1);
        events.expect(EventType.NodeDeleted, "/w/r/a/b");
        zk.removeWatches("/w/r", events, WatcherType.Any, false);
        events.expect(EventType.PersistentWatchRemoved, "/w/r");
        zk.delete("/w/r/a", -1);
        zk.exists("/w/r", false);
        events.none();
    }

    /** One-shot, persistent and recursive watches of one session on one node do not disturb each other. */
    private void mixed() throws Exception {
        node("/w/m");
        Events once = new Events(), always = new Events(), deep = new Events();
        zk.getData("/w/m", once, null);
        zk.addWatch("/w/m", always, AddWatchMode.PERSISTENT);
        zk.addWatch("/w", deep, AddWatchMode.PERSISTENT_RECURSIVE);
        set("/w/m");
        once.expect(EventType.NodeDataChanged, "/w/m");
        set("/w/m");
        for (Events e : List.of(always, deep)) {
            e.expect(EventType.NodeDataChanged, "/w/m");
            e.expect(EventType.NodeDataChanged, "/w/m");
        }
        node("/w/m/c");
        always.expect(EventType.NodeChildrenChanged, "/w/m");
        deep.expect(EventType.NodeCreated, "/w/m/c");
        once.none();
        zk.removeWatches("/w/m", always, WatcherType.Any, false);
        zk.removeWatches("/w", deep, WatcherType.Any, false);
    }

    private void remove() throws Exception {
        node("/w/rm");
        Events data = new Events(), child = new Events(), any = new Events();
        zk.getData("/w/rm", data, null);
        zk.getChildren("/w/rm", child);
        zk.removeWatches("/w/rm", data, WatcherType.Data, false);
        data.expect(EventType.DataWatchRemoved, "/w/rm");
        set("/w/rm");
        node("/w/rm/c");
        child.expect(EventType.NodeChildrenChanged, "/w/rm");
        zk.getChildren("/w/rm", child);
        zk.removeWatches("/w/rm", child, WatcherType.Children, false);
        child.expect(EventType.ChildWatchRemoved, "/w/rm");
        zk.exists("/w/rm-absent", any);
        zk.removeWatches("/w/rm-absent", any, WatcherType.Any, false);
        any.expect(EventType.DataWatchRemoved, "/w/rm-absent");
        node("/w/rm-absent");
        zk.delete("/w/rm/c", -1);
        zk.exists("/w", false);
        data.none();
        child.none();
        any.none();
    }

    /** Another session's watches stay. */
    private void removeAll() throws Exception {
        node("/w/all");
        try (Env.Client other = new Env.Client()) {
            other.zk.getData("/w/all", true, null);
            Events one = new Events(), two = new Events();
            zk.getData("/w/all", one, null);
            zk.exists("/w/all", two);
            zk.removeAllWatches("/w/all", WatcherType.Data, false);
            one.expect(EventType.DataWatchRemoved, "/w/all");
            two.expect(EventType.DataWatchRemoved, "/w/all");
            set("/w/all");
            other.events.expect(EventType.NodeDataChanged, "/w/all");
            one.none();
        }
    }

    private void removeErrors() throws Exception {
        Checks.refused(Code.NOWATCHER, () -> zk.removeWatches("/w", new Events(), WatcherType.Any, false));
        Checks.refused(Code.NOWATCHER, () -> zk.removeAllWatches("/w/none", WatcherType.Any, false));
        zk.getData("/w", events, null);
        Checks.refused(Code.NOWATCHER, () -> zk.removeWatches("/w", events, WatcherType.Children, false));
        zk.removeWatches("/w", events, WatcherType.Data, false);
        events.expect(EventType.DataWatchRemoved, "/w");
    }

    /** Closing a session removes its ephemerals, and who watches them is told. */
    private void sessionEnd() throws Exception {
        node("/w/end");
        try (Env.Client other = new Env.Client()) {
            other.zk.create("/w/end/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            zk.exists("/w/end/e", true);
            zk.getChildren("/w/end", true);
        }
        events.expect(EventType.NodeDeleted, "/w/end/e");
        events.expect(EventType.NodeChildrenChanged, "/w/end");
    }

    /** What happened while a client was cut off is told when it comes back; what did not happen, is not. */
    private void reconnect() throws Exception {
        for (String name : List.of("changed", "removed", "family", "quiet", "always")) {
            node("/w/re-" + name);
        }
        try (Env.Client cut = new Env.Client(Env.PROXY, Env.TIMEOUT_MS)) {
            Events data = new Events(), removed = new Events(), child = new Events();
            Events exist = new Events(), quiet = new Events(), always = new Events(), deep = new Events();
            cut.zk.getData("/w/re-changed", data, null);
            cut.zk.exists("/w/re-removed", removed);
            cut.zk.getChildren("/w/re-family", child);
            cut.zk.exists("/w/re-created", exist);
            cut.zk.getData("/w/re-quiet", quiet, null);
            cut.zk.getChildren("/w/re-quiet", quiet);
            cut.zk.addWatch("/w/re-always", always, AddWatchMode.PERSISTENT);
            cut.zk.addWatch("/w/re-always", deep, AddWatchMode.PERSISTENT_RECURSIVE);
            long session = cut.zk.getSessionId();
            Env.control("cut");
            cut.events.await(KeeperState.Disconnected);
            set("/w/re-changed");
            zk.delete("/w/re-removed", -1);
            node("/w/re-family/c");
            node("/w/re-created");
            Env.control("heal");
            cut.events.await(KeeperState.SyncConnected);
            Checks.equal(session, cut.zk.getSessionId(), "session");
            data.expect(EventType.NodeDataChanged, "/w/re-changed");
            removed.expect(EventType.NodeDeleted, "/w/re-removed");
            child.expect(EventType.NodeChildrenChanged, "/w/re-family");
            exist.expect(EventType.NodeCreated, "/w/re-created");
            set("/w/re-always");
            deep.expect(EventType.NodeDataChanged, "/w/re-always");
            always.expect(EventType.NodeDataChanged, "/w/re-always");
            quiet.none();
            set("/w/re-quiet");
            quiet.expect(EventType.NodeDataChanged, "/w/re-quiet");
            node("/w/re-quiet/c");
            quiet.expect(EventType.NodeChildrenChanged, "/w/re-quiet");
        }
    }
}
