import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/** All or nothing; and several reads at once. */
final class Multis {
    private final Checks checks;
    private ZooKeeper zk;
    private Events events;

    Multis(Checks checks) {
        this.checks = checks;
    }

    void run() throws Exception {
        try (Env.Client client = new Env.Client()) {
            zk = client.zk;
            events = client.events;
            zk.create("/multi", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            checks.check("multi/all-operations", this::all);
            checks.check("multi/one-zxid", this::oneZxid);
            checks.check("multi/failure", this::failure);
            checks.check("multi/failure-each", this::failureEach);
            checks.check("multi/rollback", this::rollback);
            checks.check("multi/empty", this::empty);
            checks.check("multi/transaction", this::transaction);
            checks.check("multi/async", this::async);
            checks.check("multi/events", this::multiEvents);
            checks.check("multi/read", this::read);
        }
    }

    private static byte[] bytes(String s) {
        return s.getBytes();
    }

    private static Op create(String path, CreateMode mode) {
        return Nodes.isTtl(mode)
                ? Op.create(path, bytes("v"), Ids.OPEN_ACL_UNSAFE, mode, 100_000)
                : Op.create(path, bytes("v"), Ids.OPEN_ACL_UNSAFE, mode);
    }

    /** Each operation builds on the ones before it, in the same multi. */
    private void all() throws Exception {
        List<Op> ops = new ArrayList<>();
        ops.add(create("/multi/all", CreateMode.PERSISTENT));
        for (CreateMode mode : CreateMode.values()) {
            ops.add(create("/multi/all/" + mode, mode));
        }
        ops.add(Op.check("/multi/all", 0));
        ops.add(Op.setData("/multi/all", bytes("changed"), 0));
        ops.add(Op.check("/multi/all", 1));
        ops.add(create("/multi/all/gone", CreateMode.PERSISTENT));
        ops.add(Op.delete("/multi/all/gone", 0));
        List<OpResult> results = zk.multi(ops);
        Checks.equal(ops.size(), results.size(), "results");
        Checks.equal("/multi/all", created(results.get(0)), "create");
        int i = 1, seq = 0;
        for (CreateMode mode : CreateMode.values()) {
            String suffix = mode.isSequential() ? String.format("%010d", seq) : "";
            seq++;
            Checks.equal("/multi/all/" + mode + suffix, created(results.get(i)), mode + "");
            Checks.that(zk.exists("/multi/all/" + mode + suffix, false) != null, mode + " is there");
            i++;
        }
        Checks.that(results.get(i++) instanceof OpResult.CheckResult, "check");
        Stat set = ((OpResult.SetDataResult) results.get(i++)).getStat();
        Checks.equal(1, set.getVersion(), "version");
        Checks.equal(7, set.getDataLength(), "dataLength");
        Checks.that(results.get(i++) instanceof OpResult.CheckResult, "check");
        Checks.equal("/multi/all/gone", created(results.get(i++)), "created to be deleted");
        Checks.that(results.get(i) instanceof OpResult.DeleteResult, "delete");
        Checks.equal(CreateMode.values().length, zk.exists("/multi/all", false).getNumChildren(), "children");
    }

    private static String created(OpResult result) {
        return ((OpResult.CreateResult) result).getPath();
    }

    private void oneZxid() throws Exception {
        zk.multi(Arrays.asList(create("/multi/z1", CreateMode.PERSISTENT), create("/multi/z2", CreateMode.PERSISTENT)));
        Stat one = zk.exists("/multi/z1", false), two = zk.exists("/multi/z2", false);
        Checks.equal(one.getCzxid(), two.getCzxid(), "czxid");
        Checks.equal(one.getCtime(), two.getCtime(), "ctime");
        Checks.equal(one.getCzxid(), zk.exists("/multi", false).getPzxid(), "pzxid of the parent");
    }

    /** The codes of a refused multi: 0 before the culprit, its own, and "rolled back" after it. */
    private List<Integer> refused(Code code, Op... ops) throws Exception {
        try {
            zk.multi(Arrays.asList(ops));
        } catch (KeeperException e) {
            Checks.equal(code, e.code(), "code of the multi");
            List<Integer> codes = new ArrayList<>();
            for (OpResult r : e.getResults()) {
                codes.add(((OpResult.ErrorResult) r).getErr());
            }
            return codes;
        }
        throw new AssertionError("want " + code + ", got no error");
    }

    private void failure() throws Exception {
        Checks.equal(List.of(0, 0, -103, -2, -2), refused(Code.BADVERSION,
                create("/multi/f1", CreateMode.PERSISTENT),
                create("/multi/f1/f2", CreateMode.EPHEMERAL),
                Op.check("/multi/f1", 7),
                Op.delete("/multi/none", -1),
                Op.setData("/multi/f1", bytes("x"), -1)), "codes");
        Checks.equal(null, zk.exists("/multi/f1", false), "/multi/f1");
    }

    private void failureEach() throws Exception {
        Op good = create("/multi/each", CreateMode.PERSISTENT);
        Checks.equal(List.of(0, -101), refused(Code.NONODE, good, Op.delete("/multi/none", -1)), "delete");
        Checks.equal(List.of(0, -111), refused(Code.NOTEMPTY, good, Op.delete("/multi", -1)), "delete of a parent");
        Checks.equal(List.of(0, -101), refused(Code.NONODE, good, Op.setData("/multi/none", null, -1)), "setData");
        Checks.equal(List.of(0, -103), refused(Code.BADVERSION, good, Op.setData("/multi", null, 99)), "setData version");
        Checks.equal(List.of(0, -101), refused(Code.NONODE, good, Op.check("/multi/none", -1)), "check");
        Checks.equal(List.of(0, -110), refused(Code.NODEEXISTS, good, good), "twice");
        Checks.equal(List.of(0, -101), refused(Code.NONODE, good, create("/multi/none/x", CreateMode.PERSISTENT)), "create");
        Checks.equal(List.of(0, -108), refused(Code.NOCHILDRENFOREPHEMERALS,
                create("/multi/each", CreateMode.EPHEMERAL), create("/multi/each/x", CreateMode.PERSISTENT)), "child");
        Checks.equal(List.of(0, -114), refused(Code.INVALIDACL, good,
                Op.create("/multi/x", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT)), "acl");
        Checks.equal(List.of(-8, -2), refused(Code.BADARGUMENTS, Op.delete("/", -1), good), "root");
        Checks.equal(null, zk.exists("/multi/each", false), "nothing of it");
    }

    /** A refused multi leaves no trace in the parent: counters go on where they were. */
    private void rollback() throws Exception {
        Stat before = zk.exists("/multi", false);
        refused(Code.NONODE, create("/multi/r", CreateMode.PERSISTENT_SEQUENTIAL), Op.delete("/multi/none", -1));
        Checks.equal(before, zk.exists("/multi", false), "parent");
        Checks.that(zk.create("/multi/r", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL)
                .endsWith(String.format("%010d", (before.getCversion() + before.getNumChildren()) / 2)), "suffix");
    }

    private void empty() throws Exception {
        Checks.equal(List.of(), zk.multi(new ArrayList<>()), "results");
    }

    private void transaction() throws Exception {
        List<OpResult> results = zk.transaction()
                .create("/multi/tx", bytes("1"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT)
                .check("/multi/tx", 0)
                .setData("/multi/tx", bytes("2"), 0)
                .delete("/multi/tx", 1)
                .commit();
        Checks.equal(4, results.size(), "results");
        Checks.equal(null, zk.exists("/multi/tx", false), "/multi/tx");
    }

    private void async() throws Exception {
        CompletableFuture<String> done = new CompletableFuture<>();
        zk.multi(Arrays.asList(create("/multi/as", CreateMode.PERSISTENT), Op.delete("/multi/none", -1)),
                (rc, path, ctx, results) -> done.complete(rc + " " + results.size()), null);
        Checks.equal("-101 2", done.get(20, TimeUnit.SECONDS), "code and number of results");
    }

    private void multiEvents() throws Exception {
        zk.create("/multi/ev", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.exists("/multi/ev/a", true);
        zk.getData("/multi/ev", true, null);
        zk.getChildren("/multi/ev", true);
        zk.multi(Arrays.asList(
                Op.setData("/multi/ev", bytes("x"), -1),
                create("/multi/ev/a", CreateMode.PERSISTENT),
                Op.delete("/multi/ev/a", -1)));
        long zxid = events.expect(EventType.NodeDataChanged, "/multi/ev").getZxid();
        Checks.equal(zxid, events.expect(EventType.NodeCreated, "/multi/ev/a").getZxid(), "zxid");
        Checks.equal(zxid, events.expect(EventType.NodeChildrenChanged, "/multi/ev").getZxid(), "zxid");
        Checks.equal(zxid, zk.exists("/multi/ev", false).getMzxid(), "zxid in the events");
        events.none();
    }

    private void read() throws Exception {
        zk.create("/multi/read", bytes("r"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/multi/read/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        List<OpResult> results = zk.multi(Arrays.asList(
                Op.getData("/multi/read"), Op.getChildren("/multi/none"), Op.getChildren("/multi/read"), Op.getData("/multi/none")));
        OpResult.GetDataResult data = (OpResult.GetDataResult) results.get(0);
        Checks.equal(bytes("r"), data.getData(), "data");
        Checks.equal(zk.exists("/multi/read", false), data.getStat(), "stat");
        Checks.equal(-101, ((OpResult.ErrorResult) results.get(1)).getErr(), "absent node");
        Checks.equal(List.of("c"), ((OpResult.GetChildrenResult) results.get(2)).getChildren(), "children");
        Checks.equal(-101, ((OpResult.ErrorResult) results.get(3)).getErr(), "absent node's data");
    }
}
