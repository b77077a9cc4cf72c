import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBase;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.state.ConnectionState;

/** Curator's queues. */
final class Queues {
    private final CuratorFramework curator;

    Queues(CuratorFramework curator) {
        this.curator = curator;
    }

    private static final QueueSerializer<String> TEXT = new QueueSerializer<String>() {
        @Override
        public byte[] serialize(String item) {
            return item.getBytes(StandardCharsets.UTF_8);
        }

        @Override
        public String deserialize(byte[] bytes) {
            return Operations.text(bytes);
        }
    };

    /** Puts one message; more is its priority, or when it is due, in milliseconds from now. */
    String put(String kind, String path, String message, String more) throws Exception {
        if (kind.equals("simple")) {
            new SimpleDistributedQueue(curator, path).offer(TEXT.serialize(message));
            return "put";
        }
        QueueBuilder<String> builder = QueueBuilder.builder(curator, null, TEXT, path);
        QueueBase<String> queue;
        switch (kind) {
            case "fifo": {
                DistributedQueue<String> q = builder.buildQueue();
                q.start();
                q.put(message);
                queue = q;
                break;
            }
            case "priority": {
                DistributedPriorityQueue<String> q = builder.buildPriorityQueue(0);
                q.start();
                q.put(message, Integer.parseInt(more));
                queue = q;
                break;
            }
            case "delay": {
                DistributedDelayQueue<String> q = builder.buildDelayQueue();
                q.start();
                q.put(message, System.currentTimeMillis() + Long.parseLong(more));
                queue = q;
                break;
            }
            default: throw new IllegalArgumentException("no queue " + kind);
        }
        queue.flushPuts(60, TimeUnit.SECONDS);
        queue.close();
        return "put";
    }

    /** Takes n messages, with locks: acknowledged ones. */
    String take(String kind, String path, int n) throws Exception {
        List<String> got = new ArrayList<>();
        if (kind.equals("simple")) {
            SimpleDistributedQueue queue = new SimpleDistributedQueue(curator, path);
            while (got.size() < n) {
                got.add(Operations.text(queue.take()));
            }
            return String.join(",", got);
        }
        BlockingQueue<String> arrived = new LinkedBlockingQueue<>();
        QueueConsumer<String> consumer = new QueueConsumer<String>() {
            @Override
            public void consumeMessage(String message) {
                arrived.add(message);
            }

            @Override
            public void stateChanged(CuratorFramework client, ConnectionState state) {
            }
        };
        QueueBuilder<String> builder = QueueBuilder.builder(curator, consumer, TEXT, path).lockPath(path + "-locks");
        QueueBase<String> queue;
        switch (kind) {
            case "fifo": queue = builder.buildQueue(); break;
            case "priority": queue = builder.buildPriorityQueue(0); break;
            case "delay": queue = builder.buildDelayQueue(); break;
            default: throw new IllegalArgumentException("no queue " + kind);
        }
        queue.start();
        while (got.size() < n) {
            String message = arrived.poll(60, TimeUnit.SECONDS);
            if (message == null) {
                throw new IllegalStateException("only " + got);
            }
            got.add(message);
        }
        queue.close();
        return String.join(",", got);
    }
}
