import static org.apache.zookeeper.KeeperException.Code;

import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.StatsTrack;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.cli.DelQuotaCommand;
import org.apache.zookeeper.cli.SetQuotaCommand;

/** Quotas as the command line sets them; the server is told to enforce the hard ones. */
final class Quotas {
    private final Checks checks;
    private ZooKeeper zk;

    Quotas(Checks checks) {
        this.checks = checks;
    }

    void run() throws Exception {
        try (Env.Client client = new Env.Client()) {
            zk = client.zk;
            checks.check("quota/stats", this::stats);
            checks.check("quota/hard-count", this::hardCount);
            checks.check("quota/hard-bytes", this::hardBytes);
            checks.check("quota/soft", this::soft);
            checks.check("quota/multi", this::multi);
        }
    }

    private void node(String path, int size) throws Exception {
        zk.create(path, new byte[size], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    private void quota(String path, long count, long bytes, long hardCount, long hardBytes) throws Exception {
        StatsTrack limits = new StatsTrack();
        limits.setCount(count);
        limits.setBytes(bytes);
        limits.setCountHardLimit(hardCount);
        limits.setByteHardLimit(hardBytes);
        Checks.that(SetQuotaCommand.createQuota(zk, path, limits), "createQuota");
    }

    private StatsTrack used(String path) throws Exception {
        return new StatsTrack(zk.getData("/zookeeper/quota" + path + "/zookeeper_stats", false, null));
    }

    private void uses(String path, long count, long bytes) throws Exception {
        Checks.equal(count, used(path).getCount(), "count");
        Checks.equal(bytes, used(path).getBytes(), "bytes");
    }

    private void stats() throws Exception {
        node("/q", 10);
        node("/q/a", 5);
        quota("/q", 100, 1000, -1, -1);
        uses("/q", 2, 15);
        node("/q/b", 7);
        node("/q/b/c", 1);
        uses("/q", 4, 23);
        zk.setData("/q/b", new byte[3], -1);
        uses("/q", 4, 19);
        zk.delete("/q/b/c", -1);
        uses("/q", 3, 18);
        zk.setData("/q/b", null, -1);
        uses("/q", 3, 15);
        StatsTrack limits = new StatsTrack(zk.getData("/zookeeper/quota/q/zookeeper_limits", false, null));
        Checks.equal(100L, limits.getCount(), "count limit");
        Checks.equal(1000L, limits.getBytes(), "byte limit");
    }

    private void hardCount() throws Exception {
        node("/qc", 0);
        quota("/qc", -1, -1, 3, -1);
        node("/qc/a", 0);
        node("/qc/b", 0);
        Checks.refused(Code.QUOTAEXCEEDED, () -> node("/qc/c", 0));
        Checks.equal(null, zk.exists("/qc/c", false), "the refused node");
        zk.delete("/qc/a", -1);
        node("/qc/c", 0);
        Checks.that(DelQuotaCommand.delQuota(zk, "/qc", null), "delQuota");
        node("/qc/d", 0);
    }

    private void hardBytes() throws Exception {
        node("/qb", 10);
        quota("/qb", -1, -1, -1, 100);
        node("/qb/a", 50);
        Checks.refused(Code.QUOTAEXCEEDED, () -> node("/qb/b", 41));
        node("/qb/b", 40);
        Checks.refused(Code.QUOTAEXCEEDED, () -> zk.setData("/qb/a", new byte[51], -1));
        Checks.equal(0, zk.exists("/qb/a", false).getVersion(), "version");
        zk.setData("/qb/a", new byte[1], -1);
        zk.setData("/qb/b", new byte[89], -1);
        uses("/qb", 3, 100);
    }

    private void soft() throws Exception {
        node("/qs", 0);
        quota("/qs", 1, 1, -1, -1);
        node("/qs/a", 100);
        uses("/qs", 2, 100);
    }

    private void multi() throws Exception {
        node("/qm", 0);
        quota("/qm", -1, -1, 2, -1);
        node("/qm/a", 0);
        Checks.refused(Code.QUOTAEXCEEDED, () -> {
            zk.transaction()
                    .create("/qx", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT)
                    .create("/qm/b", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT)
                    .commit();
        });
        Checks.equal(null, zk.exists("/qx", false), "nothing of the multi");
    }
}
