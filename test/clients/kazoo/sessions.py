"""How sessions begin, move, expire and end."""

from checks import PROXY, Client, Events, KazooState, check, control, equal, that


def run():
    check("session/reattach", reattach)
    check("session/expiry", expiry)
    check("session/close", close)
    check("session/chroot", chroot)
    check("session/restart", restart)


def reattach():
    """A second client takes the session over with its id and password; who had it before loses it when it is closed."""
    with Client(hosts=PROXY) as old:
        identity = old.client_id
        old.create("/moved", ephemeral=True)
        control("cut")
        old.await_state(KazooState.SUSPENDED)
        with Client(client_id=identity) as young:
            equal(young.client_id, identity, "session")
            equal(young.exists("/moved").ephemeralOwner, identity[0], "owner")
        control("heal")
        old.await_state(KazooState.LOST)
    with Client() as zk:
        equal(zk.exists("/moved"), None, "the closed session's ephemeral")


def expiry():
    with Client() as witness, Client(hosts=PROXY, timeout=5.0) as lost:
        seen = Events()
        lost.create("/expired", ephemeral=True)
        session = lost.client_id
        witness.exists("/expired", watch=seen)
        control("cut")
        seen.expect("DELETED", "/expired")
        control("heal")
        lost.await_state(KazooState.LOST)
        lost.await_state(KazooState.CONNECTED)
        that(lost.client_id[0] != session[0], "a new session")
        lost.create("/expired", ephemeral=True)


def close():
    zk = Client()
    zk.create("/closed", ephemeral=True)
    identity = zk.client_id
    zk.end()
    with Client() as other:
        equal(other.exists("/closed"), None, "ephemeral")
    with Client(client_id=identity) as again:
        that(again.client_id[0] != identity[0], "a closed session does not come back")


def chroot():
    with Client() as plain, Client() as inside:
        plain.ensure_path("/chroot")
        inside.chroot = "/chroot"
        equal(inside.create("/a"), "/a", "path inside")
        that(plain.exists("/chroot/a"), "path outside")
        equal(inside.get_children("/"), ["a"], "children")
        seen = Events()
        inside.get("/a", watch=seen)
        plain.set("/chroot/a", b"x")
        event = seen.queue.get(timeout=60)
        equal(inside.unchroot(event.path), "/a", "path in the event")


def restart():
    with Client() as zk:
        session = zk.client_id
        zk.restart()
        that(zk.client_id != session, "a new session")
        that(zk.exists("/"), "works")
