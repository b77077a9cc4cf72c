package zk

import (
	"crypto/sha1"
	"encoding/base64"

	"github.com/quollhq/quoll/client"
)

// AuthACL grants perms to those as whom the connection has authenticated itself.
func AuthACL(perms int32) []ACL { return []ACL{{perms, "auth", ""}} }

// WorldACL grants perms to all.
func WorldACL(perms int32) []ACL { return []ACL{{perms, "world", "anyone"}} }

// DigestACL grants perms to a user with a password.
func DigestACL(perms int32, user, password string) []ACL {
	sum := sha1.Sum([]byte(user + ":" + password))
	return []ACL{{perms, "digest", user + ":" + base64.StdEncoding.EncodeToString(sum[:])}}
}

// clientACL is never nil, which would mean the default.
func clientACL(acl []ACL) client.ACLs {
	list := make(client.ACLs, len(acl))
	for i, a := range acl {
		list[i] = client.ACL{Perms: client.Perm(a.Perms), Scheme: a.Scheme, ID: a.ID}
	}
	return list
}
