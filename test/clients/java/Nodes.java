import static org.apache.zookeeper.KeeperException.Code;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AsyncCallback;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/** Creating, reading, changing, deleting: results and stats to the field. */
final class Nodes {
    private final Checks checks;
    private ZooKeeper zk;

    Nodes(Checks checks) {
        this.checks = checks;
    }

    void run() throws Exception {
        try (Env.Client client = new Env.Client()) {
            zk = client.zk;
            zk.create("/nodes", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            for (CreateMode mode : CreateMode.values()) {
                checks.check("create/" + mode, () -> create(mode));
                checks.check("create-async/" + mode, () -> createAsync(mode));
            }
            checks.check("create/sequence", this::sequence);
            checks.check("create/errors", this::createErrors);
            checks.check("data/versions", this::versions);
            checks.check("data/null-and-empty", this::nullAndEmpty);
            checks.check("data/async", this::async);
            checks.check("exists", this::exists);
            checks.check("delete", this::delete);
            checks.check("children", this::children);
            checks.check("children/many", this::manyChildren);
            checks.check("children/number", this::childrenNumber);
            checks.check("ephemerals", this::ephemerals);
            checks.check("sync", this::sync);
            checks.check("stat/parent", this::parentStat);
            checks.check("data/large", this::large);
        }
    }

    private static byte[] bytes(String s) {
        return s.getBytes();
    }

    static boolean isTtl(CreateMode mode) {
        return mode == CreateMode.PERSISTENT_WITH_TTL || mode == CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL;
    }

    private void create(CreateMode mode) throws Exception {
        String asked = "/nodes/" + mode;
        Stat stat = new Stat();
        String path = isTtl(mode)
                ? zk.create(asked, bytes("value"), Ids.OPEN_ACL_UNSAFE, mode, stat, 100_000)
                : zk.create(asked, bytes("value"), Ids.OPEN_ACL_UNSAFE, mode, stat);
        newNode(mode, asked, path, stat);
        zk.delete(path, 0);
    }

    private void createAsync(CreateMode mode) throws Exception {
        String asked = "/nodes/async-" + mode;
        CompletableFuture<Integer> code = new CompletableFuture<>();
        CompletableFuture<String> name = new CompletableFuture<>();
        CompletableFuture<Stat> stat = new CompletableFuture<>();
        AsyncCallback.Create2Callback done = (rc, path, ctx, created, s) -> {
            name.complete(created);
            stat.complete(s);
            code.complete(rc);
        };
        if (isTtl(mode)) {
            zk.create(asked, bytes("value"), Ids.OPEN_ACL_UNSAFE, mode, done, null, 100_000);
        } else {
            zk.create(asked, bytes("value"), Ids.OPEN_ACL_UNSAFE, mode, done, null);
        }
        Checks.equal(0, code.get(20, TimeUnit.SECONDS), "code");
        newNode(mode, asked, name.get(), stat.get());
        zk.delete(name.get(), -1);
    }

    private void newNode(CreateMode mode, String asked, String path, Stat stat) throws Exception {
        Checks.that(mode.isSequential() ? path.matches(asked + "\\d{10}") : path.equals(asked), "name " + path);
        Checks.equal(stat.getCzxid(), stat.getMzxid(), "mzxid");
        Checks.equal(stat.getCzxid(), stat.getPzxid(), "pzxid");
        Checks.that(stat.getCzxid() > 0, "czxid " + stat.getCzxid());
        Checks.equal(stat.getCtime(), stat.getMtime(), "mtime");
        Checks.that(Math.abs(stat.getCtime() - System.currentTimeMillis()) < 60_000, "ctime " + stat.getCtime());
        Checks.equal(0, stat.getVersion(), "version");
        Checks.equal(0, stat.getCversion(), "cversion");
        Checks.equal(0, stat.getAversion(), "aversion");
        Checks.equal(mode.isEphemeral() ? zk.getSessionId() : 0L, stat.getEphemeralOwner(), "ephemeralOwner");
        Checks.equal(5, stat.getDataLength(), "dataLength");
        Checks.equal(0, stat.getNumChildren(), "numChildren");
        Stat read = new Stat();
        Checks.equal(bytes("value"), zk.getData(path, false, read), "data");
        Checks.equal(stat, read, "stat of getData");
        Checks.equal(stat, zk.exists(path, false), "stat of exists");
    }

    /** The suffix counts the parent's creates, whatever their mode, and never goes back. */
    private void sequence() throws Exception {
        zk.create("/nodes/seq", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Checks.equal("/nodes/seq/a0000000000", sequential("/nodes/seq/a"), "first");
        Checks.equal("/nodes/seq/b0000000001", sequential("/nodes/seq/b"), "second");
        zk.create("/nodes/seq/plain", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        Checks.equal("/nodes/seq/0000000003", sequential("/nodes/seq/"), "after a plain child, without a name");
        zk.delete("/nodes/seq/plain", -1);
        zk.delete("/nodes/seq/a0000000000", -1);
        Checks.equal("/nodes/seq/a0000000004", sequential("/nodes/seq/a"), "after deletes");
        Checks.refused(Code.NODEEXISTS, () ->
                zk.create("/nodes/seq/b0000000001", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        Checks.equal("/nodes/seq/a0000000005", sequential("/nodes/seq/a"), "after a refused create");
        Stat stat = zk.exists("/nodes/seq", false);
        Checks.equal(8, stat.getCversion(), "cversion after 6 creates and 2 deletes");
        Checks.equal(4, stat.getNumChildren(), "numChildren");
    }

    private String sequential(String path) throws Exception {
        return zk.create(path, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL);
    }

    private void createErrors() throws Exception {
        zk.create("/nodes/eph", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        Checks.refused(Code.NODEEXISTS, () -> zk.create("/nodes/eph", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        Checks.refused(Code.NOCHILDRENFOREPHEMERALS, () ->
                zk.create("/nodes/eph/child", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        Checks.refused(Code.NONODE, () ->
                zk.create("/nodes/no/child", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        Checks.refused(Code.INVALIDACL, () ->
                zk.create("/nodes/acl", null, Collections.emptyList(), CreateMode.PERSISTENT));
        Checks.refused(Code.NODEEXISTS, () -> zk.create("/", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        Checks.equal(null, zk.exists("/nodes/acl", false), "a refused create");
        zk.delete("/nodes/eph", 0);
    }

    private void versions() throws Exception {
        Stat created = new Stat();
        zk.create("/nodes/versions", bytes("0"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, created);
        Stat one = zk.setData("/nodes/versions", bytes("one"), 0);
        Checks.equal(1, one.getVersion(), "version");
        Checks.equal(created.getCzxid(), one.getCzxid(), "czxid");
        Checks.that(one.getMzxid() > created.getMzxid(), "mzxid grows");
        Checks.equal(created.getPzxid(), one.getPzxid(), "pzxid");
        Checks.equal(created.getCtime(), one.getCtime(), "ctime");
        Checks.that(one.getMtime() >= created.getMtime(), "mtime");
        Checks.equal(3, one.getDataLength(), "dataLength");
        Checks.refused(Code.BADVERSION, () -> zk.setData("/nodes/versions", bytes("x"), 0));
        Checks.refused(Code.BADVERSION, () -> zk.setData("/nodes/versions", bytes("x"), 2));
        Checks.refused(Code.NONODE, () -> zk.setData("/nodes/none", bytes("x"), -1));
        Checks.equal(2, zk.setData("/nodes/versions", bytes("two"), -1).getVersion(), "version after any");
        Checks.refused(Code.BADVERSION, () -> zk.delete("/nodes/versions", 1));
        zk.delete("/nodes/versions", 2);
        Checks.refused(Code.NONODE, () -> zk.delete("/nodes/versions", -1));
        Checks.refused(Code.NONODE, () -> zk.getData("/nodes/versions", false, null));
    }

    private void nullAndEmpty() throws Exception {
        zk.create("/nodes/null", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/nodes/empty", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Stat stat = new Stat();
        Checks.equal(null, zk.getData("/nodes/null", false, stat), "null data");
        Checks.equal(0, stat.getDataLength(), "dataLength of null");
        Checks.equal(new byte[0], zk.getData("/nodes/empty", false, stat), "empty data");
        zk.setData("/nodes/empty", null, -1);
        Checks.equal(null, zk.getData("/nodes/empty", false, stat), "data set to null");
        Checks.equal(1, stat.getVersion(), "version");
    }

    /** Many requests in flight: each answer belongs to its request, in order. */
    private void async() throws Exception {
        zk.create("/nodes/async", bytes("0"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        List<Integer> versions = Collections.synchronizedList(new ArrayList<>());
        CompletableFuture<byte[]> last = new CompletableFuture<>();
        for (int i = 1; i <= 500; i++) {
            zk.setData("/nodes/async", bytes("" + i), i - 1, (rc, p, ctx, s) -> versions.add(rc == 0 ? s.getVersion() : rc), null);
        }
        CompletableFuture<Integer> refused = new CompletableFuture<>();
        zk.setData("/nodes/async", bytes("x"), 7, (rc, p, ctx, s) -> refused.complete(rc), null);
        zk.getData("/nodes/async", false, (rc, p, ctx, data, s) -> last.complete(data), null);
        Checks.equal(bytes("500"), last.get(30, TimeUnit.SECONDS), "a session reads its own writes");
        Checks.equal(Code.BADVERSION.intValue(), refused.get(), "refused in between");
        Checks.equal(500, versions.size(), "answers");
        for (int i = 0; i < 500; i++) {
            Checks.equal(i + 1, versions.get(i), "answer " + i);
        }
    }

    private void exists() throws Exception {
        Checks.equal(null, zk.exists("/nodes/absent", false), "absent");
        Stat root = zk.exists("/", false);
        Checks.equal(0L, root.getCzxid(), "czxid of the root");
        Checks.equal(0L, root.getCtime(), "ctime of the root");
        Checks.that(zk.exists("/zookeeper/config", false) != null, "/zookeeper/config");
        Checks.that(zk.exists("/zookeeper/quota", false) != null, "/zookeeper/quota");
        Checks.that(zk.getChildren("/zookeeper", false).containsAll(List.of("config", "quota")), "children of /zookeeper");
    }

    private void delete() throws Exception {
        zk.create("/nodes/parent", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/nodes/parent/child", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Checks.refused(Code.NOTEMPTY, () -> zk.delete("/nodes/parent", -1));
        zk.delete("/nodes/parent/child", -1);
        zk.delete("/nodes/parent", -1);
        Checks.refused(Code.NONODE, () -> zk.delete("/nodes/parent", -1));
        Checks.refused(Code.BADARGUMENTS, () -> zk.delete("/", -1));
        Checks.refused(Code.BADARGUMENTS, () -> zk.delete("/zookeeper", -1));
        Checks.refused(Code.BADARGUMENTS, () -> zk.delete("/zookeeper/quota", -1));
    }

    private void children() throws Exception {
        zk.create("/nodes/family", bytes("f"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Checks.equal(List.of(), zk.getChildren("/nodes/family", false), "of a leaf");
        for (String name : List.of("b", "a", "\u00e9t\u00e9", "c d")) {
            zk.create("/nodes/family/" + name, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        }
        Stat stat = new Stat();
        List<String> names = new ArrayList<>(zk.getChildren("/nodes/family", false, stat));
        Collections.sort(names);
        Checks.equal(List.of("a", "b", "c d", "\u00e9t\u00e9"), names, "names");
        Checks.equal(zk.exists("/nodes/family", false), stat, "stat");
        Checks.equal(4, stat.getNumChildren(), "numChildren");
        Checks.refused(Code.NONODE, () -> zk.getChildren("/nodes/none", false));
        Checks.refused(Code.NONODE, () -> zk.getChildren("/nodes/none", false, stat));
    }

    private void manyChildren() throws Exception {
        zk.create("/nodes/many", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        CompletableFuture<Integer> last = new CompletableFuture<>();
        for (int i = 0; i < 2000; i++) {
            int n = i;
            zk.create("/nodes/many/child-" + i, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, (rc, p, ctx, name) -> {
                if (rc != 0 || n == 1999) {
                    last.complete(rc);
                }
            }, null);
        }
        Checks.equal(0, last.get(60, TimeUnit.SECONDS), "code");
        Checks.equal(2000, zk.getChildren("/nodes/many", false).size(), "children");
        Checks.equal(2000, zk.getAllChildrenNumber("/nodes/many"), "number");
    }

    private void childrenNumber() throws Exception {
        zk.create("/nodes/count", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/nodes/count/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/nodes/count/a/b", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/nodes/counter", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Checks.equal(2, zk.getAllChildrenNumber("/nodes/count"), "descendants");
        Checks.equal(0, zk.getAllChildrenNumber("/nodes/counter"), "of a leaf");
        Checks.refused(Code.NONODE, () -> zk.getAllChildrenNumber("/nodes/none"));
        int all = zk.getAllChildrenNumber("/");
        zk.create("/nodes/count/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Checks.equal(all + 1, zk.getAllChildrenNumber("/"), "of the root");
    }

    private void ephemerals() throws Exception {
        try (Env.Client other = new Env.Client()) {
            other.zk.create("/nodes/others", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            for (String name : List.of("e1", "e2", "f")) {
                zk.create("/nodes/" + name, null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            }
            Checks.equal(List.of("/nodes/e1", "/nodes/e2"), sorted(zk.getEphemerals("/nodes/e")), "by prefix");
            List<String> all = sorted(zk.getEphemerals());
            Checks.that(all.containsAll(List.of("/nodes/e1", "/nodes/e2", "/nodes/f")), "all " + all);
            Checks.that(!all.contains("/nodes/others"), "another session's");
            Checks.equal(List.of("/nodes/others"), other.zk.getEphemerals(), "of the other session");
        }
        Env.until("the other session's ephemeral goes with it", () -> zk.exists("/nodes/others", false) == null);
        Checks.equal(List.of(), zk.getEphemerals("/none"), "by a prefix of nothing");
        for (String name : List.of("e1", "e2", "f")) {
            zk.delete("/nodes/" + name, -1);
        }
    }

    private static List<String> sorted(List<String> s) {
        List<String> copy = new ArrayList<>(s);
        Collections.sort(copy);
        return copy;
    }

    private void sync() throws Exception {
        for (String path : List.of("/nodes", "/", "/nodes/absent")) {
            CompletableFuture<String> done = new CompletableFuture<>();
            zk.sync(path, (rc, p, ctx) -> done.complete(rc + " " + p), null);
            Checks.equal("0 " + path, done.get(20, TimeUnit.SECONDS), "sync");
        }
    }

    private void parentStat() throws Exception {
        Stat before = new Stat();
        zk.create("/nodes/p", bytes("p"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, before);
        Stat child = new Stat();
        zk.create("/nodes/p/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, child);
        Stat after = zk.exists("/nodes/p", false);
        Checks.equal(1, after.getCversion(), "cversion after a create");
        Checks.equal(child.getCzxid(), after.getPzxid(), "pzxid after a create");
        Checks.equal(before.getMzxid(), after.getMzxid(), "mzxid");
        zk.setData("/nodes/p/c", bytes("x"), -1);
        Checks.equal(after, zk.exists("/nodes/p", false), "parent after a change of the child's data");
        zk.delete("/nodes/p/c", -1);
        Stat last = zk.exists("/nodes/p", false);
        Checks.equal(2, last.getCversion(), "cversion after a delete");
        Checks.that(last.getPzxid() > after.getPzxid(), "pzxid after a delete");
        Checks.equal(0, last.getNumChildren(), "numChildren");
    }

    /** A frame above jute.maxbuffer breaks that connection alone; below it, all is well. */
    private void large() throws Exception {
        byte[] almost = new byte[1_000_000];
        almost[999_999] = 7;
        try (Env.Client other = new Env.Client()) {
            other.zk.create("/nodes/large", almost, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            Checks.equal(almost, zk.getData("/nodes/large", false, null), "1 MB");
            long session = other.zk.getSessionId();
            Checks.refused(Code.CONNECTIONLOSS, () -> other.zk.setData("/nodes/large", new byte[1_048_576], -1));
            other.events.await(org.apache.zookeeper.Watcher.Event.KeeperState.SyncConnected);
            Checks.equal(0, other.zk.exists("/nodes/large", false).getVersion(), "version");
            Checks.equal(session, other.zk.getSessionId(), "session");
            other.zk.delete("/nodes/large", 0);
        }
    }
}
