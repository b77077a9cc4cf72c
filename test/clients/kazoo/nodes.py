"""Creating, reading, changing, deleting: results and stats to the field."""

import time

from kazoo.exceptions import (
    BadArgumentsError, BadVersionError, NoChildrenForEphemeralsError, NodeExistsError, NoNodeError, NotEmptyError,
)

from checks import Client, check, equal, refused, that


def run():
    with Client() as zk:
        zk.create("/nodes")
        for ephemeral in (False, True):
            for sequence in (False, True):
                name = f"create/ephemeral={ephemeral},sequence={sequence}"
                check(name, lambda: create(zk, ephemeral, sequence))
        check("create/make-path", lambda: make_path(zk))
        check("create/sequence", lambda: sequence_numbers(zk))
        check("create/errors", lambda: create_errors(zk))
        check("create/bad-paths", lambda: bad_paths(zk))
        check("data/versions", lambda: versions(zk))
        check("data/empty", lambda: empty(zk))
        check("data/async", lambda: pipelined(zk))
        check("children", lambda: children(zk))
        check("children/many", lambda: many(zk))
        check("delete", lambda: delete(zk))
        check("sync", lambda: equal(zk.sync("/nodes"), "/nodes", "sync"))
        check("server-version", lambda: that(zk.server_version() >= (3, 9, 0), "version"))
        check("commands", lambda: commands(zk))


def create(zk, ephemeral, sequence):
    asked = f"/nodes/c-{ephemeral}-{sequence}-"
    path, stat = zk.create(asked, b"value", ephemeral=ephemeral, sequence=sequence, include_data=True)
    that(path == asked or sequence and len(path) == len(asked) + 10 and path.startswith(asked), path)
    equal((stat.czxid, stat.czxid), (stat.mzxid, stat.pzxid), "zxids")
    that(stat.czxid > 0, "czxid")
    equal(stat.ctime, stat.mtime, "times")
    that(abs(stat.ctime / 1000 - time.time()) < 60, "ctime")
    equal((stat.version, stat.cversion, stat.aversion), (0, 0, 0), "versions")
    equal(stat.ephemeralOwner, zk.client_id[0] if ephemeral else 0, "owner")
    equal((stat.dataLength, stat.numChildren), (5, 0), "sizes")
    equal(zk.get(path), (b"value", stat), "get")
    equal(zk.exists(path), stat, "exists")
    zk.delete(path, version=0)
    equal(zk.exists(path), None, "deleted")


def make_path(zk):
    equal(zk.create("/nodes/a/b/c", b"x", makepath=True), "/nodes/a/b/c", "path")
    zk.ensure_path("/nodes/a/b/c/d/e")
    zk.ensure_path("/nodes/a/b/c/d/e")
    that(zk.exists("/nodes/a/b/c/d/e"), "ensured path")
    zk.delete("/nodes/a", recursive=True)
    equal(zk.exists("/nodes/a"), None, "deleted")


def sequence_numbers(zk):
    zk.create("/nodes/seq")
    got = [zk.create("/nodes/seq/s-", sequence=True) for _ in range(3)]
    zk.create("/nodes/seq/plain")
    zk.delete("/nodes/seq/plain")
    got.append(zk.create("/nodes/seq/t-", sequence=True))
    equal(got, ["/nodes/seq/s-%010d" % i for i in range(3)] + ["/nodes/seq/t-0000000004"], "names")


def create_errors(zk):
    zk.create("/nodes/eph", ephemeral=True)
    refused(NodeExistsError, zk.create, "/nodes/eph")
    refused(NoChildrenForEphemeralsError, zk.create, "/nodes/eph/child")
    refused(NoNodeError, zk.create, "/nodes/none/child")
    zk.delete("/nodes/eph")


def bad_paths(zk):
    """kazoo lets these through to the server."""
    for path in ("/nodes/\x01", "/nodes/\x1f", "/nodes/\x7f", "/nodes/\ud7ff\uf8ff", "/nodes/\uffff"):
        refused(BadArgumentsError, zk.create, path)
    for path in ("/nodes/ok \u00e9", "/nodes/\u4e2d\u6587", "/nodes/..."):
        equal(zk.create(path), path, "path")


def versions(zk):
    zk.create("/nodes/v", b"0")
    before = zk.exists("/nodes/v")
    stat = zk.set("/nodes/v", b"one", version=0)
    equal((stat.version, stat.czxid, stat.pzxid, stat.ctime, stat.dataLength),
          (1, before.czxid, before.pzxid, before.ctime, 3), "stat")
    that(stat.mzxid > before.mzxid, "mzxid")
    refused(BadVersionError, zk.set, "/nodes/v", b"x", version=0)
    refused(BadVersionError, zk.delete, "/nodes/v", version=0)
    refused(NoNodeError, zk.set, "/nodes/none", b"x")
    refused(NoNodeError, zk.get, "/nodes/none")
    equal(zk.set("/nodes/v", b"two").version, 2, "version")
    zk.delete("/nodes/v", version=2)


def empty(zk):
    zk.create("/nodes/empty")
    data, stat = zk.get("/nodes/empty")
    equal((data, stat.dataLength), (b"", 0), "empty")
    big = bytes(range(256)) * 3900
    equal(zk.set("/nodes/empty", big).dataLength, len(big), "length")
    equal(zk.get("/nodes/empty")[0], big, "bytes")
    zk.delete("/nodes/empty")


def pipelined(zk):
    zk.create("/nodes/async", b"0")
    sets = [zk.set_async("/nodes/async", b"%d" % i) for i in range(1, 301)]
    read = zk.get_async("/nodes/async")
    equal(read.get(timeout=60)[0], b"300", "own writes")
    equal([s.get().version for s in sets], list(range(1, 301)), "answers in order")
    exists = zk.exists_async("/nodes/none")
    gone = zk.delete_async("/nodes/none")
    equal(exists.get(timeout=60), None, "absent")
    refused(NoNodeError, gone.get, timeout=60)


def children(zk):
    zk.create("/nodes/family", b"f")
    equal(zk.get_children("/nodes/family"), [], "of a leaf")
    for name in ("b", "a", "\u00e9t\u00e9"):
        zk.create("/nodes/family/" + name)
    names, stat = zk.get_children("/nodes/family", include_data=True)
    equal(sorted(names), ["a", "b", "\u00e9t\u00e9"], "names")
    equal((stat.numChildren, stat.cversion), (3, 3), "stat")
    equal(zk.exists("/nodes/family"), stat, "stat of exists")
    refused(NoNodeError, zk.get_children, "/nodes/none")
    refused(NoNodeError, zk.get_children, "/nodes/none", include_data=True)


def many(zk):
    zk.create("/nodes/many")
    for done in [zk.create_async(f"/nodes/many/{i}") for i in range(1000)]:
        done.get(timeout=60)
    equal(len(zk.get_children("/nodes/many")), 1000, "children")
    zk.delete("/nodes/many", recursive=True)


def delete(zk):
    zk.create("/nodes/d/e", makepath=True)
    refused(NotEmptyError, zk.delete, "/nodes/d")
    zk.delete("/nodes/d/e")
    zk.delete("/nodes/d")
    refused(NoNodeError, zk.delete, "/nodes/d")
    refused(BadArgumentsError, zk.delete, "/zookeeper")


def commands(zk):
    equal(zk.command(b"ruok"), "imok", "ruok")
    that("Mode: standalone" in zk.command(b"stat"), "stat")
