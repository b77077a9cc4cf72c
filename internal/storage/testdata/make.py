"""What make.sh lets a client do: every kind of transaction."""
import sys, time
from kazoo.client import KazooClient
from kazoo.security import ACL, Id, make_digest_acl, OPEN_ACL_UNSAFE
from kazoo.exceptions import KazooException
port, phase = sys.argv[1], sys.argv[2]
zk = KazooClient("127.0.0.1:" + port, timeout=4.0); zk.start()
if phase == "1":
    zk.create("/app", b"hello"); zk.create("/app/empty", b""); 
    zk.create("/app/big", bytes(range(256)) * 8)
    zk.create("/app/zeros", bytes(1500))
    for i in range(5): zk.create("/app/seq-", b"s%d" % i, sequence=True)
    zk.create("/app/eph", b"e", ephemeral=True)
    zk.create("/secure", b"secret", acl=[make_digest_acl("bob", "pw", all=True), ACL(1, Id("world", "anyone"))])
    zk.create("/ro", b"ro", acl=[ACL(1, Id("ip", "127.0.0.1"))])
    zk.set("/app", b"hello 2"); zk.set("/app", "gr\u00fc\u00df".encode())
    zk.create("/app/\u00fcml\u00e4ut", b"u")
    for bad in (lambda: zk.create("/app"), lambda: zk.delete("/nope"), lambda: zk.set("/app", b"x", version=99)):
        try: bad()
        except KazooException: pass
    zk.create("/app/d", b"gone"); zk.delete("/app/d")
    zk.set_acls("/app/empty", OPEN_ACL_UNSAFE + [ACL(16, Id("world", "anyone"))])
    t = zk.transaction(); t.create("/multi", b"m"); t.set_data("/app", b"in multi"); t.check("/app", 3); t.delete("/app/seq-0000000004"); print(t.commit())
    t = zk.transaction(); t.create("/multi2", b"m"); t.check("/app", 77); print(t.commit())
    zk.create("/zookeeper/quota/app/zookeeper_limits", b"count=100,bytes=100000", makepath=True); zk.create("/zookeeper/quota/app/zookeeper_stats", b"count=0,bytes=0")
elif phase == "2":
    for i in range(30): zk.create("/app/more-%02d" % i, b"x" * (i * 7))
    for i in range(10): zk.delete("/app/more-%02d" % i)
    zk.create("/app/eph2", b"e", ephemeral=True)
print(zk.client_id)
if phase == "keep":
    zk.create("/app/kept-%x" % zk.client_id[0], b"alive", ephemeral=True); time.sleep(3); import os; os._exit(0)
zk.stop()
