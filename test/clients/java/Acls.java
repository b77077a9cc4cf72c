import static org.apache.zookeeper.KeeperException.Code;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;

/** Who may do what. */
final class Acls {
    /** The super user that the harness configures. */
    static final String SUPER = "super:quoll-super";

    private final Checks checks;
    private ZooKeeper ann;
    private ZooKeeper nobody;

    Acls(Checks checks) {
        this.checks = checks;
    }

    void run() throws Exception {
        try (Env.Client a = new Env.Client(); Env.Client n = new Env.Client()) {
            ann = a.zk;
            nobody = n.zk;
            ann.addAuthInfo("digest", "ann:secret".getBytes());
            ann.create("/acl", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            checks.check("acl/creator", this::creator);
            checks.check("acl/wrong-password", this::wrongPassword);
            checks.check("acl/each-permission", this::eachPermission);
            checks.check("acl/versions", this::versions);
            checks.check("acl/invalid", this::invalid);
            checks.check("acl/ip", this::ip);
            checks.check("acl/super", this::superUser);
            checks.check("acl/masked", this::masked);
            checks.check("acl/several-identities", this::several);
            checks.check("acl/unknown-scheme", this::unknownScheme);
            checks.check("acl/async", this::async);
        }
    }

    private static ACL digest(int perms, String user) throws Exception {
        return new ACL(perms, new Id("digest", DigestAuthenticationProvider.generateDigest(user)));
    }

    private void creator() throws Exception {
        ann.create("/acl/mine", "m".getBytes(), Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        Checks.equal(Arrays.asList(digest(Perms.ALL, "ann:secret")), ann.getACL("/acl/mine", null), "auth becomes digest");
        Checks.refused(Code.NOAUTH, () -> nobody.getData("/acl/mine", false, null));
        Checks.refused(Code.NOAUTH, () -> nobody.setData("/acl/mine", null, -1));
        Checks.refused(Code.NOAUTH, () -> nobody.getChildren("/acl/mine", false));
        Checks.refused(Code.NOAUTH, () -> nobody.create("/acl/mine/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        Checks.refused(Code.NOAUTH, () -> nobody.setACL("/acl/mine", Ids.OPEN_ACL_UNSAFE, -1));
        Checks.refused(Code.NOAUTH, () -> nobody.getACL("/acl/mine", null));
        Checks.refused(Code.NOAUTH, () -> nobody.exists("/acl/mine", false));
        Checks.refused(Code.NOAUTH, () -> nobody.getAllChildrenNumber("/acl/mine"));
        ann.create("/acl/mine/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Checks.refused(Code.NOAUTH, () -> nobody.delete("/acl/mine/c", -1));
        Checks.equal("m".getBytes(), ann.getData("/acl/mine", false, null), "the creator reads");
    }

    private void wrongPassword() throws Exception {
        try (Env.Client wrong = new Env.Client()) {
            wrong.zk.addAuthInfo("digest", "ann:wrong".getBytes());
            Checks.refused(Code.NOAUTH, () -> wrong.zk.getData("/acl/mine", false, null));
            wrong.zk.addAuthInfo("digest", "ann:secret".getBytes());
            Checks.equal("m".getBytes(), wrong.zk.getData("/acl/mine", false, null), "with the right one added");
        }
    }

    /** A node that gives one permission alone gives that and no other. */
    private void eachPermission() throws Exception {
        int[] perms = {Perms.READ, Perms.WRITE, Perms.CREATE, Perms.DELETE, Perms.ADMIN};
        for (int perm : perms) {
            String path = "/acl/perm-" + perm;
            ann.create(path, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            ann.create(path + "/old", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            ann.setACL(path, Arrays.asList(new ACL(perm, Ids.ANYONE_ID_UNSAFE)), -1);
            allowed(perm == Perms.READ, () -> nobody.getData(path, false, null));
            allowed(perm == Perms.READ, () -> nobody.exists(path, false));
            allowed(perm == Perms.READ, () -> nobody.getChildren(path, false));
            allowed(perm == Perms.READ || perm == Perms.ADMIN, () -> nobody.getACL(path, null));
            allowed(perm == Perms.WRITE, () -> nobody.setData(path, null, -1));
            allowed(perm == Perms.CREATE, () -> nobody.create(path + "/new", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
            allowed(perm == Perms.DELETE, () -> nobody.delete(path + "/old", -1));
            allowed(perm == Perms.ADMIN, () -> nobody.setACL(path, Ids.OPEN_ACL_UNSAFE, -1));
        }
    }

    private static void allowed(boolean allowed, Checks.Body body) throws Exception {
        if (allowed) {
            body.run();
        } else {
            Checks.refused(Code.NOAUTH, body);
        }
    }

    private void versions() throws Exception {
        Stat created = new Stat();
        ann.create("/acl/v", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, created);
        Stat stat = ann.setACL("/acl/v", Ids.READ_ACL_UNSAFE, 0);
        Checks.equal(1, stat.getAversion(), "aversion");
        Checks.equal(0, stat.getVersion(), "version");
        Checks.equal(created.getMzxid(), stat.getMzxid(), "mzxid");
        Stat read = new Stat();
        Checks.equal(Ids.READ_ACL_UNSAFE, ann.getACL("/acl/v", read), "ACL");
        Checks.equal(stat, read, "stat of getACL");
        Checks.refused(Code.NOAUTH, () -> ann.setACL("/acl/v", Ids.OPEN_ACL_UNSAFE, 0));
        ann.create("/acl/v2", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Checks.refused(Code.BADVERSION, () -> ann.setACL("/acl/v2", Ids.OPEN_ACL_UNSAFE, 1));
        Checks.refused(Code.NONODE, () -> ann.setACL("/acl/none", Ids.OPEN_ACL_UNSAFE, -1));
        Checks.refused(Code.NONODE, () -> ann.getACL("/acl/none", null));
    }

    private void invalid() throws Exception {
        List<List<ACL>> bad = List.of(
                Collections.emptyList(),
                Arrays.asList(new ACL(Perms.ALL, new Id("nosuch", "x"))),
                Arrays.asList(new ACL(Perms.ALL, new Id("world", "somebody"))),
                Arrays.asList(new ACL(Perms.ALL, new Id("digest", "no-colon"))),
                Arrays.asList(new ACL(Perms.ALL, new Id("ip", "300.1.1.1"))),
                Arrays.asList(new ACL(Perms.ALL, new Id("ip", "10.0.0.0/33"))));
        for (List<ACL> acl : bad) {
            Checks.refused(Code.INVALIDACL, () -> ann.create("/acl/bad", null, acl, CreateMode.PERSISTENT));
            Checks.refused(Code.INVALIDACL, () -> ann.setACL("/acl", acl, -1));
        }
        Checks.refused(Code.INVALIDACL, () -> nobody.create("/acl/bad", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT));
        ACL open = new ACL(Perms.ALL, Ids.ANYONE_ID_UNSAFE);
        ann.create("/acl/twice", null, Arrays.asList(open, open), CreateMode.PERSISTENT);
        Checks.equal(Arrays.asList(open), ann.getACL("/acl/twice", null), "duplicates go");
    }

    private void ip() throws Exception {
        for (String id : List.of("127.0.0.1", "127.0.0.0/8", "127.0.0.1/32", "0.0.0.0/1")) {
            String path = "/acl/ip-" + id.replace('/', '-');
            ann.create(path, null, Arrays.asList(new ACL(Perms.ALL, new Id("ip", id))), CreateMode.PERSISTENT);
            nobody.getData(path, false, null);
        }
        ann.create("/acl/ip-other", null, Arrays.asList(new ACL(Perms.ALL, new Id("ip", "10.0.0.0/8"))), CreateMode.PERSISTENT);
        Checks.refused(Code.NOAUTH, () -> nobody.getData("/acl/ip-other", false, null));
    }

    private void superUser() throws Exception {
        try (Env.Client s = new Env.Client()) {
            s.zk.addAuthInfo("digest", SUPER.getBytes());
            Checks.equal("m".getBytes(), s.zk.getData("/acl/mine", false, null), "super reads");
            s.zk.setACL("/acl/ip-other", Ids.OPEN_ACL_UNSAFE, -1);
            nobody.getData("/acl/ip-other", false, null);
        }
        try (Env.Client s = new Env.Client()) {
            s.zk.addAuthInfo("digest", "super:wrong".getBytes());
            Checks.refused(Code.NOAUTH, () -> s.zk.getData("/acl/mine", false, null));
        }
    }

    /** Who may read but not administer a node sees whose it is, not the password's hash. */
    private void masked() throws Exception {
        ann.create("/acl/masked", null, Arrays.asList(digest(Perms.ALL, "ann:secret"), new ACL(Perms.READ, Ids.ANYONE_ID_UNSAFE)),
                CreateMode.PERSISTENT);
        Checks.equal(Arrays.asList(new ACL(Perms.ALL, new Id("digest", "ann:x")), new ACL(Perms.READ, Ids.ANYONE_ID_UNSAFE)),
                nobody.getACL("/acl/masked", null), "seen by others");
        Checks.equal(digest(Perms.ALL, "ann:secret"), ann.getACL("/acl/masked", null).get(0), "seen by its owner");
    }

    private void several() throws Exception {
        try (Env.Client both = new Env.Client()) {
            both.zk.addAuthInfo("digest", "bob:b".getBytes());
            both.zk.addAuthInfo("digest", "ann:secret".getBytes());
            both.zk.create("/acl/both", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
            Checks.equal(2, both.zk.getACL("/acl/both", null).size(), "entries");
            ann.setData("/acl/both", null, -1);
            both.zk.setData("/acl/mine", "m".getBytes(), -1);
        }
    }

    private void unknownScheme() throws Exception {
        try (Env.Client bad = new Env.Client()) {
            bad.zk.addAuthInfo("nosuch", "x".getBytes());
            bad.events.await(KeeperState.AuthFailed);
            Checks.refused(Code.AUTHFAILED, () -> bad.zk.exists("/", false));
        }
    }

    private void async() throws Exception {
        CompletableFuture<String> set = new CompletableFuture<>();
        CompletableFuture<String> get = new CompletableFuture<>();
        ann.create("/acl/async", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        ann.setACL("/acl/async", Ids.READ_ACL_UNSAFE, 0, (rc, p, ctx, stat) -> set.complete(rc + " " + stat.getAversion()), null);
        ann.getACL("/acl/async", new Stat(), (rc, p, ctx, acl, stat) -> get.complete(rc + " " + acl.get(0).getPerms()), null);
        Checks.equal("0 1", set.get(20, TimeUnit.SECONDS), "setACL");
        Checks.equal("0 1", get.get(20, TimeUnit.SECONDS), "getACL");
    }
}
