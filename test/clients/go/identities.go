package main

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-zookeeper/zk"
)

// identities checks access control lists, digest authentication and TLS.
func (c *checks) identities() {
	zc := c.client()
	defer zc.Close()
	must(zc.Create("/acl", nil, 0, open))
	c.check("acl/digest", func() { c.digest(zc) })
	c.check("acl/versions", func() { aclVersions(zc) })
	c.check("acl/invalid", func() { aclInvalid(zc) })
	c.check("acl/permissions", func() { permissions(zc) })
	c.check("acl/super", func() { c.super(zc) })
	c.check("acl/unknown-scheme", func() { c.unknownScheme() })
	c.check("tls", func() { c.tls(zc) })
}

func (c *checks) digest(zc *client) {
	ann, wrong := c.client(), c.client()
	defer ann.Close()
	defer wrong.Close()
	_, err := ann.Create("/acl/mine", nil, 0, zk.AuthACL(zk.PermAll))
	refused(zk.ErrInvalidACL, err)
	none(ann.AddAuth("digest", []byte("ann:secret")))
	must(ann.Create("/acl/mine", []byte("m"), 0, zk.AuthACL(zk.PermAll)))
	acl, _, err := ann.GetACL("/acl/mine")
	none(err)
	equal("auth becomes digest", acl, zk.DigestACL(zk.PermAll, "ann", "secret"))
	none(wrong.AddAuth("digest", []byte("ann:wrong")))
	for _, other := range []*client{zc, wrong} {
		_, _, err = other.Get("/acl/mine")
		refused(zk.ErrNoAuth, err)
		_, err = other.Set("/acl/mine", nil, -1)
		refused(zk.ErrNoAuth, err)
		_, _, err = other.Children("/acl/mine")
		refused(zk.ErrNoAuth, err)
		_, err = other.Create("/acl/mine/c", nil, 0, open)
		refused(zk.ErrNoAuth, err)
		_, err = other.SetACL("/acl/mine", open, -1)
		refused(zk.ErrNoAuth, err)
		_, _, err = other.GetACL("/acl/mine")
		refused(zk.ErrNoAuth, err)
	}
	none(wrong.AddAuth("digest", []byte("ann:secret")))
	data, _, err := wrong.Get("/acl/mine")
	none(err)
	equal("with the right password", string(data), "m")
}

func aclVersions(zc *client) {
	must(zc.Create("/acl/v", nil, 0, open))
	read := slices.Concat(zk.WorldACL(zk.PermRead), zk.DigestACL(zk.PermAdmin, "x", "y"))
	stat := must(zc.SetACL("/acl/v", read, 0))
	equal("aversion", stat.Aversion, int32(1))
	acl, same, err := zc.GetACL("/acl/v")
	none(err)
	equal("stat", same, stat)
	read[1].ID = "x:x"
	equal("the hash is masked", acl, read)
	_, err = zc.SetACL("/acl/v", open, -1)
	refused(zk.ErrNoAuth, err)
	_, err = zc.SetACL("/acl", open, 7)
	refused(zk.ErrBadVersion, err)
	_, err = zc.SetACL("/acl/none", open, -1)
	refused(zk.ErrNoNode, err)
	_, _, err = zc.GetACL("/acl/none")
	refused(zk.ErrNoNode, err)
}

func aclInvalid(zc *client) {
	for _, acl := range []zk.ACL{
		{Perms: zk.PermAll, Scheme: "nosuch", ID: "x"},
		{Perms: zk.PermAll, Scheme: "world", ID: "me"},
		{Perms: zk.PermAll, Scheme: "digest", ID: "x"},
		{Perms: zk.PermAll, Scheme: "ip", ID: "1.2.3"},
	} {
		_, err := zc.Create("/acl/bad", nil, 0, []zk.ACL{acl})
		refused(zk.ErrInvalidACL, err)
		_, err = zc.SetACL("/acl", []zk.ACL{acl}, -1)
		refused(zk.ErrInvalidACL, err)
	}
}

func permissions(zc *client) {
	must(zc.Create("/acl/r", []byte("r"), 0, zk.WorldACL(zk.PermRead)))
	_, _, err := zc.Get("/acl/r")
	none(err)
	_, err = zc.Set("/acl/r", nil, -1)
	refused(zk.ErrNoAuth, err)
	must(zc.Create("/acl/c", nil, 0, zk.WorldACL(zk.PermCreate)))
	must(zc.Create("/acl/c/x", nil, 0, open))
	refused(zk.ErrNoAuth, zc.Delete("/acl/c/x", -1))
	_, _, err = zc.Get("/acl/c")
	refused(zk.ErrNoAuth, err)
	must(zc.Create("/acl/ip", nil, 0, []zk.ACL{{Perms: zk.PermAll, Scheme: "ip", ID: "127.0.0.0/8"}}))
	_, _, err = zc.Get("/acl/ip")
	none(err)
	must(zc.Create("/acl/ip2", nil, 0, []zk.ACL{{Perms: zk.PermAll, Scheme: "ip", ID: "10.0.0.1"}}))
	_, _, err = zc.Get("/acl/ip2")
	refused(zk.ErrNoAuth, err)
}

func (c *checks) super(zc *client) {
	boss := c.client()
	defer boss.Close()
	none(boss.AddAuth("digest", []byte("super:quoll-super")))
	must(boss.SetACL("/acl/ip2", open, -1))
	_, _, err := zc.Get("/acl/ip2")
	none(err)
}

func (c *checks) unknownScheme() {
	bad := c.client()
	defer bad.Close()
	refused(zk.ErrAuthFailed, bad.AddAuth("nosuch", []byte("x")))
}

func (c *checks) tls(plain *client) {
	secure := c.connectBy(c.dialTLS, c.secure)
	defer secure.Close()
	must(secure.Create("/tls", []byte("t"), 0, zk.AuthACL(zk.PermAll)))
	acl, _, err := secure.GetACL("/tls")
	none(err)
	equal("ACL", acl, []zk.ACL{{Perms: zk.PermAll, Scheme: "x509", ID: "CN=quoll-client"}})
	_, _, err = plain.Get("/tls")
	refused(zk.ErrNoAuth, err)
	big := slices.Repeat([]byte("tls"), 300_000)
	must(secure.Set("/tls", big, -1))
	data, _, err := secure.Get("/tls")
	none(err)
	that(string(data) == string(big), "900 kB")
}

func (c *checks) dialTLS(addr string) (net.Conn, error) {
	ca, err := os.ReadFile(filepath.Join(c.certs, "ca.pem"))
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(c.certs, "client.crt"), filepath.Join(c.certs, "client.key"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, ServerName: "localhost"})
}
