package cli

import (
	"strings"

	"github.com/quollhq/quoll/client"
)

// parseACL reads scheme:id:perms[,scheme:id:perms]. As in Apache's CLI, an
// entry of another form is passed over with a word, and so is a letter that is
// no permission.
func parseACL(p *printer, s string) client.ACLs {
	acl := client.ACLs{}
	for entry := range strings.SplitSeq(s, ",") {
		first, last := strings.IndexByte(entry, ':'), strings.LastIndexByte(entry, ':')
		if first == last {
			p.note("%s does not have the form scheme:id:perm", entry)
			continue
		}
		acl = append(acl, client.ACL{
			Scheme: entry[:first],
			ID:     entry[first+1 : last],
			Perms:  parsePerms(p, entry[last+1:]),
		})
	}
	return acl
}

func parsePerms(p *printer, s string) client.Perm {
	var perms client.Perm
	for _, r := range s {
		one := permOf(r)
		if one == 0 {
			p.note("Unknown perm type: %c", r)
		}
		perms |= one
	}
	return perms
}

// permOf is the permission of a letter, or 0.
func permOf(r rune) client.Perm {
	switch r {
	case 'c':
		return client.PermCreate
	case 'd':
		return client.PermDelete
	case 'r':
		return client.PermRead
	case 'w':
		return client.PermWrite
	case 'a':
		return client.PermAdmin
	}
	return 0
}

// aclDoc is an entry of an ACL in JSON.
type aclDoc struct {
	Scheme string `json:"scheme"`
	ID     string `json:"id"`
	Perms  string `json:"perms"`
}

func newACLDocs(acl client.ACLs) []aclDoc {
	docs := make([]aclDoc, len(acl))
	for i, a := range acl {
		docs[i] = aclDoc{a.Scheme, a.ID, a.Perms.String()}
	}
	return docs
}
