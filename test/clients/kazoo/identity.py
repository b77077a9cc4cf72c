"""Access control lists, digest, TLS and SASL."""

from kazoo.exceptions import AuthFailedError, BadVersionError, InvalidACLError, NoAuthError, NoNodeError, ReconfigDisabledError
from kazoo.security import ACL, CREATOR_ALL_ACL, OPEN_ACL_UNSAFE, READ_ACL_UNSAFE, Id, make_acl, make_digest_acl

from checks import CERTS, SECURE, Client, KazooState, check, equal, refused, that

ALICE = {"mechanism": "DIGEST-MD5", "username": "alice", "password": "alice-secret"}


def run():
    with Client() as zk:
        zk.create("/acl")
        check("acl/digest", lambda: digest(zk))
        check("acl/versions", lambda: versions(zk))
        check("acl/invalid", lambda: invalid(zk))
        check("acl/permissions", lambda: permissions(zk))
        check("acl/auth-data", auth_data)
        check("acl/super", lambda: super_user(zk))
        check("acl/wrong-auth", wrong_auth)
        check("reconfig", lambda: reconfig(zk))
    check("tls", tls)
    check("tls/acl", tls_acl)
    check("sasl", sasl)
    check("sasl/wrong-password", sasl_wrong)


def digest(zk):
    with Client() as ann:
        ann.add_auth("digest", "ann:secret")
        ann.create("/acl/mine", b"m", acl=CREATOR_ALL_ACL)
        equal(ann.get_acls("/acl/mine")[0], [make_digest_acl("ann", "secret", all=True)], "auth becomes digest")
        for call in (
            lambda: zk.get("/acl/mine"), lambda: zk.set("/acl/mine", b""), lambda: zk.get_children("/acl/mine"),
            lambda: zk.create("/acl/mine/c"), lambda: zk.get_acls("/acl/mine"),
            lambda: zk.set_acls("/acl/mine", OPEN_ACL_UNSAFE),
        ):
            refused(NoAuthError, call)
    with Client() as wrong:
        wrong.add_auth("digest", "ann:wrong")
        refused(NoAuthError, wrong.get, "/acl/mine")
        wrong.add_auth("digest", "ann:secret")
        equal(wrong.get("/acl/mine")[0], b"m", "with the right password")


def versions(zk):
    zk.create("/acl/v")
    stat = zk.set_acls("/acl/v", READ_ACL_UNSAFE + [make_digest_acl("x", "y", admin=True)], version=0)
    equal((stat.aversion, stat.version), (1, 0), "versions")
    acls, stat2 = zk.get_acls("/acl/v")
    equal(stat2, stat, "stat")
    equal(acls, READ_ACL_UNSAFE + [ACL(16, Id("digest", "x:x"))], "the hash is masked")
    refused(NoAuthError, zk.set_acls, "/acl/v", OPEN_ACL_UNSAFE)
    zk.create("/acl/v2")
    refused(BadVersionError, zk.set_acls, "/acl/v2", OPEN_ACL_UNSAFE, version=7)
    refused(NoNodeError, zk.set_acls, "/acl/none", OPEN_ACL_UNSAFE)
    refused(NoNodeError, zk.get_acls, "/acl/none")


def invalid(zk):
    for acl in (
        [make_acl("nosuch", "x", all=True)], [make_acl("world", "me", all=True)], [make_acl("digest", "x", all=True)],
        [make_acl("ip", "1.2.3", all=True)], CREATOR_ALL_ACL,
    ):
        refused(InvalidACLError, zk.create, "/acl/bad", acl=acl)


def permissions(zk):
    world = lambda **perm: [make_acl("world", "anyone", **perm)]
    zk.create("/acl/r", b"r", acl=world(read=True))
    equal(zk.get("/acl/r")[0], b"r", "read")
    refused(NoAuthError, zk.set, "/acl/r", b"x")
    refused(NoAuthError, zk.create, "/acl/r/c")
    zk.create("/acl/w", acl=world(write=True))
    equal(zk.set("/acl/w", b"x").version, 1, "write")
    refused(NoAuthError, zk.get, "/acl/w")
    zk.create("/acl/c", acl=world(create=True))
    zk.create("/acl/c/x")
    refused(NoAuthError, zk.delete, "/acl/c/x")
    zk.create("/acl/d", acl=world(delete=True, create=True))
    zk.create("/acl/d/x")
    zk.delete("/acl/d/x")
    zk.create("/acl/ip", acl=[make_acl("ip", "127.0.0.0/8", all=True)])
    equal(zk.get("/acl/ip")[0], b"", "by address")
    zk.create("/acl/ip2", acl=[make_acl("ip", "10.1.2.3", all=True)])
    refused(NoAuthError, zk.get, "/acl/ip2")


def auth_data():
    with Client(auth_data=[("digest", "ann:secret")], default_acl=CREATOR_ALL_ACL) as ann:
        ann.create("/acl/default")
        equal(ann.get_acls("/acl/default")[0], [make_digest_acl("ann", "secret", all=True)], "default ACL")


def super_user(zk):
    with Client(auth_data=[("digest", "super:quoll-super")]) as boss:
        equal(boss.get("/acl/mine")[0], b"m", "super reads")
        boss.set_acls("/acl/ip2", OPEN_ACL_UNSAFE)
    zk.get("/acl/ip2")


def wrong_auth():
    with Client() as bad:
        refused(AuthFailedError, bad.add_auth, "nosuch", "x:y")


def reconfig(zk):
    zk.add_auth("digest", "super:quoll-super")
    refused(ReconfigDisabledError, zk.reconfig, joining="server.9=127.0.0.1:1:2;3", leaving=None, new_members=None)


def secure(**kwargs):
    return Client(
        hosts=SECURE, use_ssl=True, ca=CERTS + "/ca.pem", certfile=CERTS + "/client.crt", keyfile=CERTS + "/client.key",
        **kwargs,
    )


def tls():
    with secure() as zk:
        zk.create("/tls", b"t")
        equal(zk.get("/tls")[0], b"t", "data")
        big = b"x" * 700_000
        zk.set("/tls", big)
        equal(zk.get("/tls")[0], big, "big data")


def tls_acl():
    with secure() as zk, Client() as plain:
        zk.create("/tls-acl", acl=CREATOR_ALL_ACL)
        equal(zk.get_acls("/tls-acl")[0], [make_acl("x509", "CN=quoll-client", all=True)], "ACL")
        refused(NoAuthError, plain.get, "/tls-acl")


def sasl():
    with Client(sasl_options=ALICE) as alice, Client() as plain:
        alice.create("/sasl", b"s", acl=CREATOR_ALL_ACL)
        equal(alice.get_acls("/sasl")[0], [make_acl("sasl", "alice", all=True)], "ACL")
        equal(alice.get("/sasl")[0], b"s", "data")
        refused(NoAuthError, plain.get, "/sasl")


def sasl_wrong():
    """kazoo calls itself connected before the rounds of SASL are over."""
    zk = Client(sasl_options=dict(ALICE, password="wrong"), wait=False)
    zk.await_state(KazooState.LOST)
    that("AUTH_FAILED" in zk.details, f"states {zk.details}")
    zk.end()
