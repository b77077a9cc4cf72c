"""The server is killed and comes back on the same data."""

import queue

from kazoo.exceptions import NoAuthError
from kazoo.security import CREATOR_ALL_ACL

from checks import WAIT, Client, KazooState, background, check, control, equal, refused, that
from identity import ALICE, secure


def run():
    with Client() as zk, secure() as tls, Client(sasl_options=ALICE) as alice:
        state = {}
        check("survival/prepare", lambda: prepare(zk, alice, state))
        check("survival/kill", lambda: kill(zk, tls, alice))
        check("survival/session", lambda: session(zk, state))
        check("survival/data", lambda: data(zk, state))
        check("survival/watches", lambda: watches(zk, state))
        check("survival/identity", lambda: identity(zk, alice))
        check("survival/lock", lambda: lock(zk, state))
        check("survival/tls", lambda: that(tls.exists("/s"), "TLS client works"))
        check("survival/again", lambda: again(zk, tls, alice, state))
    with Client() as other:
        check("survival/ended", lambda: equal(other.exists("/s/e"), None, "the closed session's ephemeral"))


def prepare(zk, alice, state):
    zk.add_auth("digest", "eve:secret")
    zk.create("/s", b"1")
    zk.create("/s/e", b"e", ephemeral=True)
    zk.create("/s/seq-", sequence=True)
    zk.create("/s/private", acl=CREATOR_ALL_ACL)
    zk.create("/s/watched", b"0")
    alice.create("/s-alice", acl=CREATOR_ALL_ACL)
    zk.set("/s", b"22")
    state["session"] = zk.client_id
    state["stats"] = stats(zk)
    state["got"], state["names"] = queue.Queue(), queue.Queue()
    zk.DataWatch("/s/watched")(lambda value, stat: state["got"].put(value))
    zk.ChildrenWatch("/s/watched")(lambda names: state["names"].put(names))
    equal((state["got"].get(timeout=WAIT), state["names"].get(timeout=WAIT)), (b"0", []), "watched")
    state["lock"] = zk.Lock("/s-lock", "survivor")
    that(state["lock"].acquire(), "lock")


def stats(zk):
    return {name: zk.exists("/s/" + name) for name in zk.get_children("/s")}


def kill(*clients):
    control("kill")
    for c in clients:
        c.await_state(KazooState.SUSPENDED)
    control("start")
    for c in clients:
        c.await_state(KazooState.CONNECTED)


def session(zk, state):
    equal(zk.client_id, state["session"], "session")
    equal(zk.exists("/s/e").ephemeralOwner, state["session"][0], "owner")


def data(zk, state):
    equal(zk.get("/s")[0], b"22", "data")
    equal(stats(zk), state["stats"], "stats")


def watches(zk, state):
    with Client() as other:
        other.set("/s/watched", b"1")
        other.create("/s/watched/c")
    equal(state["got"].get(timeout=WAIT), b"1", "data watch")
    names = state["names"].get(timeout=WAIT)
    equal(names or state["names"].get(timeout=WAIT), ["c"], "children watch")


def identity(zk, alice):
    zk.set("/s/private", b"x")
    alice.set("/s-alice", b"x")
    with Client() as other:
        refused(NoAuthError, other.get, "/s/private")
        refused(NoAuthError, other.get, "/s-alice")


def lock(zk, state):
    """Who held a lock holds it still; who waits for it gets it afterwards."""
    with Client() as other:
        waiter = other.Lock("/s-lock", "waiter")
        that(not waiter.acquire(blocking=False), "held")
        waiting = background(waiter.acquire)
        state["lock"].release()
        that(waiting(), "released")
        waiter.release()


def again(zk, tls, alice, state):
    zk.set("/s", b"333")
    zk.delete("/s/private")
    kill(zk, tls, alice)
    session(zk, state)
    equal(zk.get("/s")[0], b"333", "data")
    equal(zk.exists("/s/private"), None, "deleted")
