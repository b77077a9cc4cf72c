import static org.apache.zookeeper.KeeperException.Code;

import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

/** How sessions begin, move, expire and end. */
final class Sessions {
    private final Checks checks;

    Sessions(Checks checks) {
        this.checks = checks;
    }

    void run() {
        checks.check("session/timeout", this::timeout);
        checks.check("session/ids", this::ids);
        checks.check("session/move", this::move);
        checks.check("session/wrong-password", this::wrongPassword);
        checks.check("session/closed", this::closed);
        checks.check("session/expiry", this::expiry);
        checks.check("session/short-cut", this::shortCut);
        checks.check("session/chroot", this::chroot);
        checks.check("session/idle", this::idle);
    }

    /** The harness has tickTime 500 and maxSessionTimeout 60000. */
    private void timeout() throws Exception {
        int[][] askedAndGiven = {{300, 1000}, {1000, 1000}, {7777, 7777}, {60_000, 60_000}, {10_000_000, 60_000}};
        for (int[] t : askedAndGiven) {
            try (Env.Client client = new Env.Client(Env.SERVER, t[0])) {
                Checks.equal(t[1], client.zk.getSessionTimeout(), "timeout when asked for " + t[0]);
            }
        }
    }

    private void ids() throws Exception {
        try (Env.Client a = new Env.Client(); Env.Client b = new Env.Client()) {
            Checks.that(a.zk.getSessionId() != 0, "session id 0");
            Checks.equal(a.zk.getSessionId() + 1, b.zk.getSessionId(), "the next session's id");
            Checks.equal(16, a.zk.getSessionPasswd().length, "bytes of the password");
        }
    }

    /** A session goes with the newer of two connections; what it owns stays. */
    private void move() throws Exception {
        try (Env.Client old = new Env.Client()) {
            old.zk.create("/moved", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            Events events = new Events();
            ZooKeeper young = new ZooKeeper(Env.SERVER, Env.TIMEOUT_MS, events, old.zk.getSessionId(),
                    old.zk.getSessionPasswd(), false, new org.apache.zookeeper.client.StaticHostProvider(
                            new org.apache.zookeeper.client.ConnectStringParser(Env.SERVER).getServerAddresses()), Env.plain());
            events.await(KeeperState.SyncConnected);
            old.events.await(KeeperState.Disconnected);
            Checks.equal(old.zk.getSessionId(), young.getSessionId(), "session");
            young.close();
            old.events.await(KeeperState.Expired);
        }
        try (Env.Client other = new Env.Client()) {
            Checks.equal(null, other.zk.exists("/moved", false), "the ephemeral of the closed session");
        }
    }

    private void wrongPassword() throws Exception {
        try (Env.Client client = new Env.Client()) {
            byte[] password = client.zk.getSessionPasswd().clone();
            password[0]++;
            Events events = new Events();
            ZooKeeper thief = new ZooKeeper(Env.SERVER, Env.TIMEOUT_MS, events, client.zk.getSessionId(), password);
            events.await(KeeperState.Expired);
            thief.close();
            // Its connection may have been closed before the password was looked at; the session must live on.
            Env.until("the session lives on", () -> {
                try {
                    return client.zk.exists("/", false) != null;
                } catch (KeeperException.ConnectionLossException e) {
                    return false;
                }
            });
        }
    }

    private void closed() throws Exception {
        Env.Client client = new Env.Client();
        client.zk.create("/closed", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        client.close();
        Checks.refused(Code.SESSIONEXPIRED, () -> client.zk.exists("/", false));
        Events events = new Events();
        ZooKeeper again = new ZooKeeper(Env.SERVER, Env.TIMEOUT_MS, events, client.zk.getSessionId(), client.zk.getSessionPasswd());
        events.await(KeeperState.Expired);
        again.close();
        try (Env.Client other = new Env.Client()) {
            Checks.equal(null, other.zk.exists("/closed", false), "ephemeral");
        }
    }

    private void expiry() throws Exception {
        try (Env.Client lost = new Env.Client(Env.PROXY, 5000); Env.Client witness = new Env.Client()) {
            lost.zk.create("/expired", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            witness.zk.exists("/expired", true);
            Env.control("cut");
            witness.events.expect(EventType.NodeDeleted, "/expired");
            Env.control("heal");
            lost.events.await(KeeperState.Expired);
            Checks.refused(Code.SESSIONEXPIRED, () -> lost.zk.exists("/", false));
        }
    }

    private void shortCut() throws Exception {
        try (Env.Client client = new Env.Client(Env.PROXY, Env.TIMEOUT_MS); Env.Client witness = new Env.Client()) {
            client.zk.create("/short-cut", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            long session = client.zk.getSessionId();
            for (int i = 0; i < 3; i++) {
                Env.control("cut");
                client.events.await(KeeperState.Disconnected);
                Env.control("heal");
                client.events.await(KeeperState.SyncConnected);
            }
            Checks.equal(session, client.zk.getSessionId(), "session");
            Checks.equal(session, witness.zk.exists("/short-cut", false).getEphemeralOwner(), "owner");
        }
    }

    private void chroot() throws Exception {
        try (Env.Client plain = new Env.Client()) {
            plain.zk.create("/chroot", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            try (Env.Client inside = new Env.Client(Env.SERVER + "/chroot", Env.TIMEOUT_MS)) {
                inside.zk.exists("/a", true);
                Checks.equal("/a", inside.zk.create("/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL), "path inside");
                inside.events.expect(EventType.NodeCreated, "/a");
                Checks.that(plain.zk.exists("/chroot/a", false) != null, "path outside");
                Checks.equal(java.util.List.of("a"), inside.zk.getChildren("/", false), "children of the chroot");
            }
        }
    }

    /** Pings alone keep a session. */
    private void idle() throws Exception {
        try (Env.Client client = new Env.Client(Env.SERVER, 3000)) {
            long session = client.zk.getSessionId();
            client.zk.create("/idle", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            try (Env.Client witness = new Env.Client()) {
                long until = System.nanoTime() + 4_500_000_000L;
                while (System.nanoTime() < until) {
                    Checks.equal(session, witness.zk.exists("/idle", false).getEphemeralOwner(), "owner");
                    Thread.sleep(100);
                }
            }
        }
    }
}
