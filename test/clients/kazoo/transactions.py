"""Transactions: all or nothing."""

from kazoo.exceptions import BadVersionError, NoNodeError, RolledBackError, RuntimeInconsistency, NodeExistsError

from checks import Client, check, equal, that


def run():
    with Client() as zk:
        zk.create("/tx")
        check("transaction/all", lambda: everything(zk))
        check("transaction/failure", lambda: failure(zk))
        check("transaction/failure-first", lambda: failure_first(zk))
        check("transaction/sequence", lambda: sequence(zk))
        check("transaction/context", lambda: context(zk))
        check("transaction/empty", lambda: equal(zk.transaction().commit(), [], "results"))


def everything(zk):
    t = zk.transaction()
    t.create("/tx/a", b"1")
    t.check("/tx/a", version=0)
    t.set_data("/tx/a", b"22", version=0)
    t.create("/tx/a/e", ephemeral=True)
    t.delete("/tx/a/e", version=0)
    results = t.commit()
    equal(results[:2], ["/tx/a", True], "create, check")
    equal((results[2].version, results[2].dataLength), (1, 2), "set")
    equal(results[3:], ["/tx/a/e", True], "create, delete")
    equal(zk.get("/tx/a")[0], b"22", "data")


def kinds(results):
    return [type(r) for r in results]


def failure(zk):
    t = zk.transaction()
    t.create("/tx/f")
    t.check("/tx/f", version=9)
    t.delete("/tx/none")
    equal(kinds(t.commit()), [RolledBackError, BadVersionError, RuntimeInconsistency], "results")
    equal(zk.exists("/tx/f"), None, "rolled back")


def failure_first(zk):
    t = zk.transaction()
    t.set_data("/tx/none", b"")
    t.create("/tx/f")
    equal(kinds(t.commit()), [NoNodeError, RuntimeInconsistency], "results")
    t = zk.transaction()
    t.create("/tx/f")
    t.create("/tx/f")
    equal(kinds(t.commit()), [RolledBackError, NodeExistsError], "results")
    equal(zk.exists("/tx/f"), None, "rolled back")


def sequence(zk):
    zk.create("/tx/s")
    t = zk.transaction()
    t.create("/tx/s/n", sequence=True)
    t.create("/tx/s/n", sequence=True)
    equal(t.commit(), ["/tx/s/n0000000000", "/tx/s/n0000000001"], "names")
    one, two = zk.exists("/tx/s/n0000000000"), zk.exists("/tx/s/n0000000001")
    equal(one.czxid, two.czxid, "czxid")
    equal(zk.exists("/tx/s").cversion, 2, "cversion")


def context(zk):
    with zk.transaction() as t:
        t.create("/tx/c")
    that(zk.exists("/tx/c"), "committed")
