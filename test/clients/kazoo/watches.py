"""One-shot watches, and kazoo's own that re-arm themselves."""

import queue

from checks import PROXY, WAIT, Client, Events, KazooState, check, control, equal, that


def run():
    with Client() as zk:
        zk.create("/w")
        check("watch/exists", lambda: exists(zk))
        check("watch/data", lambda: data(zk))
        check("watch/children", lambda: children(zk))
        check("watch/one-shot", lambda: one_shot(zk))
        check("watch/other-session", lambda: other_session(zk))
        check("watch/ephemeral-end", lambda: ephemeral_end(zk))
        check("watch/data-watch", lambda: data_watch(zk))
        check("watch/children-watch", lambda: children_watch(zk))
        check("watch/reconnect", lambda: reconnect(zk))


def exists(zk):
    seen = Events()
    equal(zk.exists("/w/e", watch=seen), None, "absent")
    zk.create("/w/e")
    seen.expect("CREATED", "/w/e")
    zk.exists("/w/e", watch=seen)
    zk.set("/w/e", b"x")
    seen.expect("CHANGED", "/w/e")
    zk.exists("/w/e", watch=seen)
    zk.create("/w/e/c")
    zk.delete("/w/e/c")
    zk.delete("/w/e")
    seen.expect("DELETED", "/w/e")


def data(zk):
    seen = Events()
    zk.create("/w/d")
    zk.get("/w/d", watch=seen)
    zk.set("/w/d", b"x")
    seen.expect("CHANGED", "/w/d")
    zk.get("/w/d", watch=seen)
    zk.delete("/w/d")
    seen.expect("DELETED", "/w/d")


def children(zk):
    seen = Events()
    zk.create("/w/c")
    for call in (lambda: zk.get_children("/w/c", watch=seen), lambda: zk.get_children("/w/c", watch=seen, include_data=True)):
        call()
        zk.set("/w/c", b"x")
        zk.create("/w/c/a")
        seen.expect("CHILD", "/w/c")
        call()
        zk.delete("/w/c/a")
        seen.expect("CHILD", "/w/c")
    zk.get_children("/w/c", watch=seen)
    zk.delete("/w/c")
    seen.expect("DELETED", "/w/c")


def one_shot(zk):
    seen = Events()
    zk.create("/w/o")
    zk.get("/w/o", watch=seen)
    zk.set("/w/o", b"1")
    zk.set("/w/o", b"2")
    seen.expect("CHANGED", "/w/o")
    zk.exists("/w/o")
    seen.none()


def other_session(zk):
    with Client() as other:
        seen = Events()
        zk.create("/w/x")
        zk.get("/w/x", watch=seen)
        other.set("/w/x", b"1")
        seen.expect("CHANGED", "/w/x")


def ephemeral_end(zk):
    seen = Events()
    other = Client()
    other.create("/w/eph", ephemeral=True)
    zk.exists("/w/eph", watch=seen)
    other.end()
    seen.expect("DELETED", "/w/eph")


def data_watch(zk):
    got = queue.Queue()
    zk.DataWatch("/w/dw")(lambda value, stat, event: got.put((value, stat and stat.version)))
    equal(got.get(timeout=WAIT), (None, None), "absent")
    zk.create("/w/dw", b"a")
    equal(got.get(timeout=WAIT), (b"a", 0), "created")
    for i in range(1, 6):
        zk.set("/w/dw", b"%d" % i)
        equal(got.get(timeout=WAIT), (b"%d" % i, i), "changed")
    zk.delete("/w/dw")
    equal(got.get(timeout=WAIT), (None, None), "deleted")


def children_watch(zk):
    got = queue.Queue()
    zk.create("/w/cw")
    zk.ChildrenWatch("/w/cw")(lambda names: got.put(sorted(names)))
    equal(got.get(timeout=WAIT), [], "empty")
    want = []
    for name in ("a", "b", "c"):
        zk.create("/w/cw/" + name)
        want.append(name)
        equal(got.get(timeout=WAIT), want, "children")


def reconnect(zk):
    """kazoo reads again what it watches when it comes back."""
    with Client(hosts=PROXY) as cut:
        got = queue.Queue()
        zk.create("/w/re", b"before")
        cut.DataWatch("/w/re")(lambda value, stat: got.put(value))
        equal(got.get(timeout=WAIT), b"before", "before")
        session = cut.client_id
        control("cut")
        cut.await_state(KazooState.SUSPENDED)
        zk.set("/w/re", b"meanwhile")
        control("heal")
        cut.await_state(KazooState.CONNECTED)
        equal(got.get(timeout=WAIT), b"meanwhile", "after")
        equal(cut.client_id, session, "session")
        zk.set("/w/re", b"later")
        equal(got.get(timeout=WAIT), b"later", "armed again")
        that(got.empty(), "nothing else")
