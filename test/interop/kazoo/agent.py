"""Runs kazoo's recipes as it is told.

A line "SEQ HANDLE OPERATION ARG..." begins an operation, a line "SEQ ok RESULT" or "SEQ error WHY" ends it. The operations
of one handle take place one after another. An empty argument is "-".
"""

import queue
import sys
import threading
import traceback

from kazoo.client import KazooClient
from kazoo.recipe.cache import TreeCache

answering = threading.Lock()


def answer(seq, verdict, text):
    with answering:
        print(seq, verdict, str(text).replace("\n", " "), flush=True)


class Operations:
    def __init__(self, zk):
        self.zk = zk
        self.held = {}

    def lock(self, handle, kind, path, how):
        lock = {"mutex": self.zk.Lock, "reader": self.zk.ReadLock, "writer": self.zk.WriteLock}[kind](path, "kazoo")
        got = lock.acquire(blocking=how == "wait")
        if got:
            self.held[handle] = lock
        return "true" if got else "false"

    def unlock(self, handle):
        self.held.pop(handle).release()
        return "released"

    def elect(self, handle, kind, path, id):
        election = self.zk.Election(path, id)
        leads, done = threading.Event(), threading.Event()

        def lead():
            leads.set()
            done.wait()

        thread = threading.Thread(target=election.run, args=(lead,), daemon=True)
        thread.start()
        self.held[handle] = (election, leads, done, thread)
        return "taking part"

    def await_(self, handle):
        self.held[handle][1].wait()
        return "leads"

    def leader(self, handle, other):
        return self.held[other][0].contenders()[0]

    def resign(self, handle):
        election, _, done, thread = self.held.pop(handle)
        done.set()
        election.cancel()
        thread.join()
        return "resigned"

    def count(self, handle, kind, path, delta):
        counter = self.zk.Counter(path, support_curator=kind == "shared")
        counter += int(delta)
        return counter.value

    def queue(self, kind, path):
        return (self.zk.LockingQueue if kind == "kazoo-locking" else self.zk.Queue)(path)

    def put(self, handle, kind, path, message, more):
        self.queue(kind, path).put(message.encode(), int(more or 100))
        return "put"

    def take(self, handle, kind, path, n):
        q, got = self.queue(kind, path), []
        while len(got) < int(n):
            if kind == "kazoo-locking":
                message = q.get(timeout=60)
                if message is None or not q.consume():
                    raise RuntimeError("no message, or not its own")
            else:
                message = q.get()
                if message is None:
                    raise RuntimeError("only " + ",".join(got))
            got.append(message.decode())
        return ",".join(got)

    def close(self, handle, path):
        self.zk.Barrier(path).create()
        return "closed"

    def open(self, handle, path):
        self.zk.Barrier(path).remove()
        return "open"

    def pass_(self, handle, path):
        self.zk.Barrier(path).wait()
        return "passed"

    def enter(self, handle, path, n):
        barrier = self.held[handle] = self.zk.DoubleBarrier(path, int(n), "kazoo")
        barrier.enter()
        return "entered"

    def leave(self, handle):
        self.held.pop(handle).leave()
        return "left"

    def party(self, kind, path, id):
        return (self.zk.ShallowParty if kind == "shallow" else self.zk.Party)(path, id)

    def join(self, handle, kind, path, id, data):
        party = self.held[handle] = self.party(kind, path, id)
        party.join()
        return "joined"

    def members(self, handle, kind, path, member):
        return ",".join(sorted(id + "=" for id in self.party(kind, path, "observer")))

    def part(self, handle):
        self.held.pop(handle).leave()
        return "gone"

    def cache(self, handle, path):
        cache = TreeCache(self.zk, path)
        self.held[handle] = (cache, path)
        cache.start()
        return "started"

    def cached(self, handle):
        (cache, root), found = self.held[handle], {}

        def walk(path):
            data = cache.get_data(path)
            if data is not None:
                found[path] = (data.data or b"").decode()
                for name in cache.get_children(path) or ():
                    walk(path + "/" + name)

        walk(root)
        return ",".join(sorted(p + "=" + v for p, v in found.items()))


def main():
    zk = KazooClient(hosts=sys.argv[1], timeout=30.0)
    zk.start(timeout=60)
    operations, threads = Operations(zk), {}

    def serve(work):
        while True:
            seq, handle, name, args = work.get()
            try:
                call = getattr(operations, name, None) or getattr(operations, name + "_")
                answer(seq, "ok", call(handle, *("" if a == "-" else a for a in args)))
            except Exception as e:
                traceback.print_exc()
                answer(seq, "error", repr(e))

    answer(0, "ok", "connected")
    for line in sys.stdin:
        seq, handle, name, *args = line.split()
        if handle not in threads:
            threads[handle] = queue.Queue()
            threading.Thread(target=serve, args=(threads[handle],), daemon=True).start()
        threads[handle].put((seq, handle, name, args))
    zk.stop()


main()
