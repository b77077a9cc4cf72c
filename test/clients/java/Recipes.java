import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.curator.retry.RetryForever;
import org.apache.zookeeper.CreateMode;

/** Curator's recipes: what applications really do with a server. */
final class Recipes {
    private final Checks checks;
    private CuratorFramework one;
    private CuratorFramework two;

    Recipes(Checks checks) {
        this.checks = checks;
    }

    static CuratorFramework start(String address) throws Exception {
        CuratorFramework curator = CuratorFrameworkFactory.builder()
                .connectString(address).sessionTimeoutMs(Env.TIMEOUT_MS).connectionTimeoutMs(Env.TIMEOUT_MS)
                .retryPolicy(new RetryForever(50)).zkClientConfig(Env.plain()).build();
        curator.start();
        Checks.that(curator.blockUntilConnected(60, TimeUnit.SECONDS), "Curator connects");
        return curator;
    }

    void run() throws Exception {
        one = start(Env.SERVER);
        two = start(Env.SERVER);
        checks.check("curator/mutex", this::mutex);
        checks.check("curator/read-write-lock", this::readWriteLock);
        checks.check("curator/semaphore", this::semaphore);
        checks.check("curator/leader-latch", this::leaderLatch);
        checks.check("curator/leader-selector", this::leaderSelector);
        checks.check("curator/atomic-long", this::atomicLong);
        checks.check("curator/shared-count", this::sharedCount);
        checks.check("curator/barrier", this::barrier);
        checks.check("curator/double-barrier", this::doubleBarrier);
        checks.check("curator/cache", this::cache);
        checks.check("curator/queue", this::queue);
        checks.check("curator/group", this::group);
        checks.check("curator/persistent-node", this::persistentNode);
        checks.check("curator/ttl-node", this::ttlNode);
        checks.check("curator/persistent-watcher", this::persistentWatcher);
        checks.check("curator/transaction", this::transaction);
        checks.check("curator/guaranteed-and-protected", this::protection);
        one.close();
        two.close();
    }

    /** Eight threads of two clients count without losing one; never two of them are inside. */
    private void mutex() throws Exception {
        AtomicInteger inside = new AtomicInteger();
        one.create().creatingParentsIfNeeded().forPath("/curator/count", "0".getBytes());
        List<CompletableFuture<Void>> all = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            CuratorFramework client = i % 2 == 0 ? one : two;
            all.add(CompletableFuture.runAsync(() -> {
                try {
                    InterProcessMutex lock = new InterProcessMutex(client, "/curator/mutex");
                    for (int n = 0; n < 5; n++) {
                        lock.acquire();
                        Checks.equal(1, inside.incrementAndGet(), "inside");
                        int count = Integer.parseInt(new String(client.getData().forPath("/curator/count")));
                        client.setData().forPath("/curator/count", ("" + (count + 1)).getBytes());
                        inside.decrementAndGet();
                        lock.release();
                    }
                } catch (Exception e) {
                    throw new RuntimeException(e);
                }
            }, command -> new Thread(command).start()));
        }
        for (CompletableFuture<Void> f : all) {
            f.get(60, TimeUnit.SECONDS);
        }
        Checks.equal("40", new String(one.getData().forPath("/curator/count")), "count");
    }

    private void readWriteLock() throws Exception {
        InterProcessReadWriteLock a = new InterProcessReadWriteLock(one, "/curator/rw");
        InterProcessReadWriteLock b = new InterProcessReadWriteLock(two, "/curator/rw");
        a.readLock().acquire();
        b.readLock().acquire();
        Checks.that(!b.writeLock().acquire(200, TimeUnit.MILLISECONDS), "a writer beside readers");
        a.readLock().release();
        b.readLock().release();
        b.writeLock().acquire();
        Checks.that(!a.readLock().acquire(200, TimeUnit.MILLISECONDS), "a reader beside a writer");
        b.writeLock().release();
        Checks.that(a.readLock().acquire(60, TimeUnit.SECONDS), "a reader after the writer");
        a.readLock().release();
    }

    private void semaphore() throws Exception {
        InterProcessSemaphoreV2 a = new InterProcessSemaphoreV2(one, "/curator/sem", 2);
        InterProcessSemaphoreV2 b = new InterProcessSemaphoreV2(two, "/curator/sem", 2);
        var first = a.acquire();
        var second = b.acquire();
        Checks.equal(null, b.acquire(200, TimeUnit.MILLISECONDS), "a third lease");
        a.returnLease(first);
        var third = b.acquire(60, TimeUnit.SECONDS);
        Checks.that(third != null, "a lease that was given back");
        b.returnLease(second);
        b.returnLease(third);
    }

    private void leaderLatch() throws Exception {
        LeaderLatch a = new LeaderLatch(one, "/curator/latch", "a");
        LeaderLatch b = new LeaderLatch(two, "/curator/latch", "b");
        a.start();
        Checks.that(a.await(60, TimeUnit.SECONDS), "the only one leads");
        b.start();
        Env.until("two participants", () -> b.getParticipants().size() == 2);
        Checks.that(!b.hasLeadership(), "one leader only");
        Checks.equal("a", b.getLeader().getId(), "leader");
        a.close();
        Checks.that(b.await(60, TimeUnit.SECONDS), "the next one leads");
        b.close();
    }

    private void leaderSelector() throws Exception {
        CountDownLatch led = new CountDownLatch(3);
        List<LeaderSelector> selectors = new ArrayList<>();
        AtomicInteger leaders = new AtomicInteger();
        List<String> wrong = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            LeaderSelector s = new LeaderSelector(i % 2 == 0 ? one : two, "/curator/selector", new LeaderSelectorListenerAdapter() {
                @Override
                public void takeLeadership(CuratorFramework client) {
                    if (leaders.incrementAndGet() != 1) {
                        wrong.add("two leaders");
                    }
                    leaders.decrementAndGet();
                    led.countDown();
                }
            });
            s.start();
            selectors.add(s);
        }
        Checks.that(led.await(60, TimeUnit.SECONDS), "each leads once");
        Checks.equal(List.of(), wrong, "problems");
        selectors.forEach(LeaderSelector::close);
    }

    private void atomicLong() throws Exception {
        DistributedAtomicLong a = new DistributedAtomicLong(one, "/curator/long", new RetryForever(5));
        DistributedAtomicLong b = new DistributedAtomicLong(two, "/curator/long", new RetryForever(5));
        a.initialize(0L);
        for (int i = 0; i < 10; i++) {
            Checks.that(a.increment().succeeded() && b.add(10L).succeeded(), "added");
        }
        Checks.equal(110L, b.get().postValue(), "sum");
    }

    private void sharedCount() throws Exception {
        try (SharedCount a = new SharedCount(one, "/curator/shared", 1); SharedCount b = new SharedCount(two, "/curator/shared", 1)) {
            a.start();
            b.start();
            a.setCount(7);
            Env.until("the other sees the count", () -> b.getCount() == 7);
            Checks.that(b.trySetCount(b.getVersionedValue(), 8), "set by version");
        }
    }

    private void barrier() throws Exception {
        DistributedBarrier a = new DistributedBarrier(one, "/curator/barrier");
        a.setBarrier();
        CompletableFuture<Void> through = CompletableFuture.runAsync(() -> {
            try {
                new DistributedBarrier(two, "/curator/barrier").waitOnBarrier();
            } catch (Exception e) {
                throw new RuntimeException(e);
            }
        });
        Checks.that(!through.isDone(), "the barrier holds");
        a.removeBarrier();
        through.get(60, TimeUnit.SECONDS);
    }

    private void doubleBarrier() throws Exception {
        CompletableFuture<Boolean> other = CompletableFuture.supplyAsync(() -> {
            try {
                DistributedDoubleBarrier b = new DistributedDoubleBarrier(two, "/curator/double", 2);
                return b.enter(60, TimeUnit.SECONDS) && b.leave(60, TimeUnit.SECONDS);
            } catch (Exception e) {
                throw new RuntimeException(e);
            }
        });
        DistributedDoubleBarrier a = new DistributedDoubleBarrier(one, "/curator/double", 2);
        Checks.that(a.enter(60, TimeUnit.SECONDS), "enter");
        Checks.that(a.leave(60, TimeUnit.SECONDS), "leave");
        Checks.that(other.get(60, TimeUnit.SECONDS), "the other one");
    }

    private void cache() throws Exception {
        one.create().creatingParentsIfNeeded().forPath("/curator/cache/old", "o".getBytes());
        LinkedBlockingQueue<String> seen = new LinkedBlockingQueue<>();
        try (CuratorCache cache = CuratorCache.build(two, "/curator/cache")) {
            CountDownLatch ready = new CountDownLatch(1);
            cache.listenable().addListener(org.apache.curator.framework.recipes.cache.CuratorCacheListener.builder()
                    .forAll((type, before, after) -> seen.add(type + " " + (after == null ? before : after).getPath()))
                    .forInitialized(ready::countDown).build());
            cache.start();
            Checks.that(ready.await(60, TimeUnit.SECONDS), "the cache is filled");
            seen.clear();
            one.create().forPath("/curator/cache/new", "n".getBytes());
            Checks.equal("NODE_CREATED /curator/cache/new", seen.poll(60, TimeUnit.SECONDS), "created");
            one.setData().forPath("/curator/cache/new", "m".getBytes());
            Checks.equal("NODE_CHANGED /curator/cache/new", seen.poll(60, TimeUnit.SECONDS), "changed");
            one.delete().forPath("/curator/cache/old");
            Checks.equal("NODE_DELETED /curator/cache/old", seen.poll(60, TimeUnit.SECONDS), "deleted");
            Checks.equal("m", new String(cache.get("/curator/cache/new").get().getData()), "data in the cache");
        }
    }

    private void queue() throws Exception {
        SimpleDistributedQueue in = new SimpleDistributedQueue(one, "/curator/queue");
        SimpleDistributedQueue out = new SimpleDistributedQueue(two, "/curator/queue");
        for (int i = 0; i < 5; i++) {
            in.offer(("" + i).getBytes());
        }
        for (int i = 0; i < 5; i++) {
            Checks.equal("" + i, new String(out.take()), "order");
        }
        Checks.equal(null, out.poll(), "an empty queue");
    }

    private void group() throws Exception {
        try (GroupMember a = new GroupMember(one, "/curator/group", "a"); GroupMember b = new GroupMember(two, "/curator/group", "b")) {
            a.start();
            b.start();
            Env.until("both see both", () -> a.getCurrentMembers().size() == 2 && b.getCurrentMembers().size() == 2);
        }
    }

    private void persistentNode() throws Exception {
        try (PersistentNode node = new PersistentNode(one, CreateMode.EPHEMERAL, false, "/curator/pn", "p".getBytes())) {
            node.start();
            Checks.that(node.waitForInitialCreate(60, TimeUnit.SECONDS), "created");
            two.delete().forPath("/curator/pn");
            Env.until("it comes back", () -> two.checkExists().forPath("/curator/pn") != null);
        }
    }

    private void ttlNode() throws Exception {
        try (PersistentTtlNode node = new PersistentTtlNode(one, "/curator/ttl", 2000, "t".getBytes())) {
            node.start();
            Checks.that(node.waitForInitialCreate(60, TimeUnit.SECONDS), "created");
        }
        Env.until("it goes with its keeper", () -> two.checkExists().forPath("/curator/ttl") == null);
    }

    private void persistentWatcher() throws Exception {
        LinkedBlockingQueue<String> seen = new LinkedBlockingQueue<>();
        one.create().forPath("/curator/pw");
        try (PersistentWatcher watcher = new PersistentWatcher(two, "/curator/pw", true)) {
            CountDownLatch armed = new CountDownLatch(1);
            watcher.getListenable().addListener(event -> seen.add(event.getType() + " " + event.getPath()));
            watcher.getResetListenable().addListener(armed::countDown);
            watcher.start();
            Checks.that(armed.await(60, TimeUnit.SECONDS), "armed");
            one.create().forPath("/curator/pw/a");
            one.delete().forPath("/curator/pw/a");
            Checks.equal("NodeCreated /curator/pw/a", seen.poll(60, TimeUnit.SECONDS), "first");
            Checks.equal("NodeDeleted /curator/pw/a", seen.poll(60, TimeUnit.SECONDS), "second");
        }
    }

    private void transaction() throws Exception {
        one.transaction().forOperations(
                one.transactionOp().create().forPath("/curator/t1", "1".getBytes()),
                one.transactionOp().setData().forPath("/curator/t1", "2".getBytes()),
                one.transactionOp().check().withVersion(1).forPath("/curator/t1"));
        Checks.equal("2", new String(two.getData().forPath("/curator/t1")), "data");
    }

    private void protection() throws Exception {
        String path = one.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/curator/prot-");
        Checks.that(path.contains("_c_") && two.checkExists().forPath(path) != null, "protected node " + path);
        one.delete().guaranteed().forPath(path);
        one.create().orSetData().forPath("/curator/or", "1".getBytes());
        one.create().orSetData().forPath("/curator/or", "2".getBytes());
        Checks.equal("2", new String(two.getData().forPath("/curator/or")), "create or set");
        one.create().creatingParentContainersIfNeeded().forPath("/curator/box/a/b");
        one.delete().deletingChildrenIfNeeded().forPath("/curator/box");
        Checks.equal(null, two.checkExists().forPath("/curator/box"), "deleted with its children");
    }
}
