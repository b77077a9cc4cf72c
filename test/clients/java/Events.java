import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;

/** A watcher that keeps its events, those of nodes apart from those of the connection. */
final class Events implements Watcher {
    private final BlockingQueue<WatchedEvent> nodes = new LinkedBlockingQueue<>();
    private final BlockingQueue<WatchedEvent> states = new LinkedBlockingQueue<>();

    @Override
    public void process(WatchedEvent event) {
        (event.getType() == Event.EventType.None ? states : nodes).add(event);
    }

    /** The next node event must be this one; events come in the order of their transactions. */
    WatchedEvent expect(Event.EventType type, String path) throws InterruptedException {
        WatchedEvent event = nodes.poll(Env.WAIT_MS, TimeUnit.MILLISECONDS);
        Checks.that(event != null, "no event, want " + type + " " + path);
        Checks.equal(type + " " + path, event.getType() + " " + event.getPath(), "event");
        Checks.equal(Event.KeeperState.SyncConnected, event.getState(), "state in the event");
        return event;
    }

    /** Nothing has come. Only after something later was seen is this a statement about the server. */
    void none() {
        Checks.that(nodes.isEmpty(), "unexpected event " + nodes.peek());
    }

    /** Waits for a state of the connection, dropping others before it. */
    void await(Event.KeeperState state) throws InterruptedException {
        WatchedEvent event;
        do {
            event = states.poll(Env.WAIT_MS, TimeUnit.MILLISECONDS);
            Checks.that(event != null, "no state " + state);
        } while (event.getState() != state);
    }
}
