import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicInteger;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.ChildData;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.retry.ExponentialBackoffRetry;

/** What the agent can be told to do. */
final class Operations {
    private final CuratorFramework curator;
    private final Queues queues;
    private final Map<String, Object> held = new ConcurrentHashMap<>();

    Operations(CuratorFramework curator) {
        this.curator = curator;
        this.queues = new Queues(curator);
    }

    String run(String handle, String operation, String[] a) throws Exception {
        switch (operation) {
            case "lock": return acquire(handle, lock(a[0], a[1]), a[2].equals("wait"));
            case "unlock": return unlock(handle);
            case "elect": return elect(handle, a[0], a[1], a[2]);
            case "await": return await(handle);
            case "leader": return leader(a[0]);
            case "resign": return resign(handle);
            case "count": return count(a[0], a[1], Integer.parseInt(a[2]));
            case "put": return queues.put(a[0], a[1], a[2], a[3]);
            case "take": return queues.take(a[0], a[1], Integer.parseInt(a[2]));
            case "close": barrier(a[0]).setBarrier(); return "closed";
            case "open": barrier(a[0]).removeBarrier(); return "open";
            case "pass": barrier(a[0]).waitOnBarrier(); return "passed";
            case "enter": return enter(handle, a[0], Integer.parseInt(a[1]));
            case "leave": ((DistributedDoubleBarrier) held.remove(handle)).leave(); return "left";
            case "join": return join(handle, a[1], a[2], a[3]);
            case "members": return members(a[2]);
            case "part": ((GroupMember) held.remove(handle)).close(); return "gone";
            case "cache": return cache(handle, a[0]);
            case "cached": return cached(handle);
            default: throw new IllegalArgumentException("no operation " + operation);
        }
    }

    private Object lock(String kind, String path) {
        switch (kind) {
            case "mutex": return new InterProcessMutex(curator, path);
            case "reader": return new InterProcessReadWriteLock(curator, path).readLock();
            case "writer": return new InterProcessReadWriteLock(curator, path).writeLock();
            case "semaphore-mutex": return new InterProcessSemaphoreMutex(curator, path);
            case "semaphore-2": return new InterProcessSemaphoreV2(curator, path, 2);
            default: throw new IllegalArgumentException("no lock " + kind);
        }
    }

    private String acquire(String handle, Object lock, boolean wait) throws Exception {
        Object got = lock;
        if (lock instanceof InterProcessSemaphoreV2) {
            InterProcessSemaphoreV2 s = (InterProcessSemaphoreV2) lock;
            got = wait ? new Object[] {s, s.acquire()} : new Object[] {s, s.acquire(1, TimeUnit.MILLISECONDS)};
            if (((Object[]) got)[1] == null) {
                return "false";
            }
        } else if (wait) {
            ((InterProcessLock) lock).acquire();
        } else if (!((InterProcessLock) lock).acquire(1, TimeUnit.MILLISECONDS)) {
            return "false";
        }
        held.put(handle, got);
        return "true";
    }

    private String unlock(String handle) throws Exception {
        Object got = held.remove(handle);
        if (got instanceof Object[]) {
            Object[] pair = (Object[]) got;
            ((InterProcessSemaphoreV2) pair[0]).returnLease((Lease) pair[1]);
        } else {
            ((InterProcessLock) got).release();
        }
        return "released";
    }

    /** A selector that leads until it is told to resign. */
    private static final class Selection extends LeaderSelectorListenerAdapter {
        private final CountDownLatch leads = new CountDownLatch(1);
        private final CountDownLatch done = new CountDownLatch(1);
        private LeaderSelector selector;

        @Override
        public void takeLeadership(CuratorFramework client) throws Exception {
            leads.countDown();
            done.await();
        }
    }

    private String elect(String handle, String kind, String path, String id) throws Exception {
        if (kind.equals("latch")) {
            LeaderLatch latch = new LeaderLatch(curator, path, id);
            latch.start();
            held.put(handle, latch);
            return "taking part";
        }
        Selection selection = new Selection();
        selection.selector = new LeaderSelector(curator, path, selection);
        selection.selector.setId(id);
        selection.selector.start();
        held.put(handle, selection);
        return "taking part";
    }

    private String await(String handle) throws Exception {
        Object o = held.get(handle);
        if (o instanceof LeaderLatch) {
            ((LeaderLatch) o).await();
        } else {
            ((Selection) o).leads.await();
        }
        return "leads";
    }

    private String leader(String handle) throws Exception {
        Object o = held.get(handle);
        return o instanceof LeaderLatch ? ((LeaderLatch) o).getLeader().getId() : ((Selection) o).selector.getLeader().getId();
    }

    private String resign(String handle) throws Exception {
        Object o = held.remove(handle);
        if (o instanceof LeaderLatch) {
            ((LeaderLatch) o).close();
        } else {
            ((Selection) o).done.countDown();
            ((Selection) o).selector.close();
        }
        return "resigned";
    }

    private String count(String kind, String path, int delta) throws Exception {
        ExponentialBackoffRetry retry = new ExponentialBackoffRetry(1, 29);
        switch (kind) {
            case "long": return done(new DistributedAtomicLong(curator, path, retry).add((long) delta));
            case "int": return done(new DistributedAtomicInteger(curator, path, retry).add(delta));
            case "shared":
                try (SharedCount count = new SharedCount(curator, path, 0)) {
                    count.start();
                    while (!count.trySetCount(count.getVersionedValue(), count.getCount() + delta)) {
                        Thread.onSpinWait();
                    }
                    return String.valueOf(count.getCount());
                }
            default: throw new IllegalArgumentException("no counter " + kind);
        }
    }

    private static String done(AtomicValue<?> v) {
        if (!v.succeeded()) {
            throw new IllegalStateException("the counter gave up");
        }
        return String.valueOf(v.postValue());
    }

    private DistributedBarrier barrier(String path) {
        return new DistributedBarrier(curator, path);
    }

    private String enter(String handle, String path, int n) throws Exception {
        DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(curator, path, n);
        held.put(handle, barrier);
        barrier.enter();
        return "entered";
    }

    private String join(String handle, String path, String id, String data) {
        GroupMember member = new GroupMember(curator, path, id, data.getBytes(StandardCharsets.UTF_8));
        held.put(handle, member);
        member.start();
        return "joined";
    }

    /** Curator lets only members look. */
    private String members(String handle) {
        Map<String, byte[]> members = new TreeMap<>(((GroupMember) held.get(handle)).getCurrentMembers());
        return members.entrySet().stream().map(e -> e.getKey() + "=" + text(e.getValue())).collect(Collectors.joining(","));
    }

    private String cache(String handle, String path) {
        CuratorCache cache = CuratorCache.build(curator, path);
        cache.start();
        held.put(handle, cache);
        return "started";
    }

    private String cached(String handle) {
        Collection<ChildData> all = ((CuratorCache) held.get(handle)).stream().collect(Collectors.toList());
        return all.stream().map(d -> d.getPath() + "=" + text(d.getData())).sorted().collect(Collectors.joining(","));
    }

    static String text(byte[] data) {
        return data == null ? "" : new String(data, StandardCharsets.UTF_8);
    }
}
