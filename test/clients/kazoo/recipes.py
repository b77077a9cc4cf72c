"""kazoo's recipes, each by two clients."""

import queue
import threading
from datetime import timedelta

from kazoo.exceptions import LockTimeout
from kazoo.recipe.cache import TreeCache, TreeEvent

from checks import WAIT, Client, background, check, equal, refused, that, until


def run():
    with Client() as one, Client() as two:
        one.create("/r")
        for name, body in (
            ("lock", lock), ("lock-timeout", lock_timeout), ("read-write-lock", read_write_lock), ("semaphore", semaphore),
            ("election", election), ("barrier", barrier), ("double-barrier", double_barrier), ("counter", counter),
            ("queue", plain_queue), ("locking-queue", locking_queue), ("party", party), ("shallow-party", shallow_party),
            ("partitioner", partitioner), ("lease", lease), ("tree-cache", tree_cache),
        ):
            check("recipe/" + name, lambda: body(one, two))


def lock(one, two):
    """Six threads count without losing one; never two of them are inside."""
    inside, most = [], []
    one.create("/r/count", b"0")

    def work(zk):
        for _ in range(4):
            with zk.Lock("/r/lock", "me"):
                inside.append(1)
                most.append(len(inside))
                zk.set("/r/count", b"%d" % (int(zk.get("/r/count")[0]) + 1))
                inside.pop()

    for join in [background(work, zk) for zk in (one, two) * 3]:
        join()
    equal(one.get("/r/count")[0], b"24", "count")
    equal(max(most), 1, "at once inside")


def lock_timeout(one, two):
    a, b = one.Lock("/r/lt", "a"), two.Lock("/r/lt", "b")
    that(a.acquire(), "free")
    that(not b.acquire(blocking=False), "held")
    refused(LockTimeout, b.acquire, timeout=0.2)
    equal(two.Lock("/r/lt").contenders(), ["a"], "contenders")
    waiting = background(b.acquire)
    until("b waits", lambda: one.Lock("/r/lt").contenders() == ["a", "b"])
    a.release()
    that(waiting(), "released")
    b.release()


def read_write_lock(one, two):
    r1, r2, w = one.ReadLock("/r/rw"), two.ReadLock("/r/rw"), two.WriteLock("/r/rw")
    that(r1.acquire() and r2.acquire(), "two readers")
    that(not w.acquire(blocking=False), "a writer beside readers")
    r1.release()
    r2.release()
    that(w.acquire(timeout=WAIT), "the writer")
    that(not r1.acquire(blocking=False), "a reader beside a writer")
    w.release()


def semaphore(one, two):
    a, b, c = (zk.Semaphore("/r/sem", zk_id, max_leases=2) for zk, zk_id in ((one, "a"), (two, "b"), (two, "c")))
    that(a.acquire() and b.acquire(), "two leases")
    that(not c.acquire(blocking=False), "a third")
    equal(sorted(c.lease_holders()), ["a", "b"], "holders")
    waiting = background(c.acquire)
    a.release()
    that(waiting(), "a lease that was given back")
    b.release()
    c.release()


def election(one, two):
    leads, let_go = queue.Queue(), threading.Event()

    def lead(name):
        leads.put(name)
        let_go.wait(WAIT)

    first = background(one.Election("/r/el", "a").run, lead, "a")
    equal(leads.get(timeout=WAIT), "a", "leader")
    second = background(two.Election("/r/el", "b").run, lead, "b")
    until("two contenders", lambda: one.Election("/r/el").contenders() == ["a", "b"])
    that(leads.empty(), "one leader only")
    let_go.set()
    first()
    equal(leads.get(timeout=WAIT), "b", "next leader")
    second()


def barrier(one, two):
    b = one.Barrier("/r/b")
    b.create()
    that(not two.Barrier("/r/b").wait(timeout=0.2), "holds")
    waiting = background(two.Barrier("/r/b").wait, WAIT)
    that(b.remove(), "removed")
    that(waiting(), "opens")


def double_barrier(one, two):
    a, b = one.DoubleBarrier("/r/db", 2, "a"), two.DoubleBarrier("/r/db", 2, "b")
    other = background(lambda: (b.enter(), b.leave()))
    a.enter()
    that(a.participating, "entered")
    a.leave()
    other()


def counter(one, two):
    a, b = one.Counter("/r/counter"), two.Counter("/r/counter")

    def work(c):
        for _ in range(10):
            c += 2
            c -= 1

    for join in [background(work, c) for c in (a, b)]:
        join()
    equal((a.value, b.value), (20, 20), "sum")
    f = one.Counter("/r/float", default=1.0)
    f += 0.5
    equal(two.Counter("/r/float", default=1.0).value, 1.5, "float")


def plain_queue(one, two):
    q, p = one.Queue("/r/q"), two.Queue("/r/q")
    for i in range(5):
        q.put(b"%d" % i)
    q.put(b"first", priority=1)
    equal(len(p), 6, "length")
    equal([p.get() for _ in range(7)], [b"first", b"0", b"1", b"2", b"3", b"4", None], "order")


def locking_queue(one, two):
    q, p = one.LockingQueue("/r/lq"), two.LockingQueue("/r/lq")
    q.put_all([b"a", b"b"])
    equal(p.get(timeout=WAIT), b"a", "first")
    that(p.holds_lock(), "held")
    p.release()
    equal(p.get(timeout=WAIT), b"a", "again")
    that(p.consume(), "consumed")
    equal(p.get(timeout=WAIT), b"b", "second")
    that(p.consume(), "consumed")
    equal(len(q), 0, "length")


def party(one, two):
    a, b = one.Party("/r/party", "a"), two.Party("/r/party", "b")
    a.join()
    b.join()
    equal((sorted(a), len(b)), (["a", "b"], 2), "members")
    a.leave()
    equal(list(b), ["b"], "members")


def shallow_party(one, two):
    a, b = one.ShallowParty("/r/shallow", "a"), two.ShallowParty("/r/shallow", "b")
    a.join()
    b.join()
    equal(sorted(a), ["a", "b"], "members")


def partitioner(one, two):
    parts = [zk.SetPartitioner("/r/part", set=range(6), time_boundary=1, identifier=name) for zk, name in ((one, "a"), (two, "b"))]

    def settled():
        for p in parts:
            that(not p.failed, "failed")
            if p.release:
                p.release_set()
            elif p.allocating:
                p.wait_for_acquire(timeout=0.5)
        return all(p.acquired for p in parts) and sorted(list(parts[0]) + list(parts[1])) == list(range(6))

    until("every part has one owner", settled)
    for p in parts:
        p.finish()


def lease(one, two):
    that(one.NonBlockingLease("/r/lease", timedelta(minutes=5), "a"), "the first")
    that(not two.NonBlockingLease("/r/lease", timedelta(minutes=5), "b"), "the second")
    leases = [zk.MultiNonBlockingLease(2, "/r/multi", timedelta(minutes=5), name) for zk, name in ((one, "a"), (two, "b"), (two, "c"))]
    equal([bool(x) for x in leases], [True, True, False], "two leases for three")


def tree_cache(one, two):
    one.create("/r/tree/x", b"1", makepath=True)
    cache, seen = TreeCache(two, "/r/tree"), queue.Queue()
    cache.listen(seen.put)
    cache.start()
    while seen.get(timeout=WAIT).event_type != TreeEvent.INITIALIZED:
        pass
    equal(cache.get_data("/r/tree/x").data, b"1", "filled")
    one.set("/r/tree/x", b"2")
    event = seen.get(timeout=WAIT)
    equal((event.event_type, event.event_data.path, event.event_data.data), (TreeEvent.NODE_UPDATED, "/r/tree/x", b"2"), "updated")
    one.create("/r/tree/y")
    equal(seen.get(timeout=WAIT).event_type, TreeEvent.NODE_ADDED, "added")
    one.delete("/r/tree/y")
    equal(seen.get(timeout=WAIT).event_type, TreeEvent.NODE_REMOVED, "removed")
    cache.close()
