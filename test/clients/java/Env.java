import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.client.ZKClientConfig;

/** What the harness gives: addresses and its control channel; and connections to them. */
final class Env {
    static final String SERVER = System.getenv("QUOLL_SERVER");
    static final String PROXY = System.getenv("QUOLL_PROXY");
    static final String SECURE = System.getenv("QUOLL_SECURE");
    static final String CERTS = System.getenv("QUOLL_CERTS");
    /** Long enough to live through a restart of the server on a busy machine. */
    static final int TIMEOUT_MS = 40_000;
    static final long WAIT_MS = 60_000;

    private static final BufferedReader in = new BufferedReader(new InputStreamReader(System.in));

    private Env() {}

    /** Asks the harness to do something and waits until it is done. */
    static void control(String verb) throws Exception {
        System.out.println("control " + verb);
        System.out.flush();
        Checks.equal(verb, in.readLine(), "answer of the harness");
    }

    /** A client with its events, connected. */
    static final class Client implements AutoCloseable {
        final Events events = new Events();
        final ZooKeeper zk;

        Client(String address, int timeoutMs, ZKClientConfig config) throws Exception {
            zk = new ZooKeeper(address, timeoutMs, events, config);
            events.await(KeeperState.SyncConnected);
        }

        Client(String address, int timeoutMs) throws Exception {
            this(address, timeoutMs, plain());
        }

        Client() throws Exception {
            this(SERVER, TIMEOUT_MS);
        }

        @Override
        public void close() throws InterruptedException {
            zk.close((int) TimeUnit.SECONDS.toMillis(20));
        }
    }

    /** Without SASL, although the JVM has a login configuration. */
    static ZKClientConfig plain() {
        ZKClientConfig config = new ZKClientConfig();
        config.setProperty(ZKClientConfig.ENABLE_CLIENT_SASL_KEY, "false");
        return config;
    }

    /** Repeats until ok; the harness's time limit is the bound. */
    interface Condition {
        boolean met() throws Exception;
    }

    static void until(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(WAIT_MS);
        while (!condition.met()) {
            Checks.that(System.nanoTime() < deadline, "never: " + what);
            Thread.sleep(10);
        }
    }
}
