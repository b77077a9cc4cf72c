package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/quollhq/quoll/client"
)

func aclCommands() []*command {
	return []*command{
		{
			name: "getAcl", usage: "[-s] path", least: 1,
			options:  []option{{name: "s", help: "stats"}},
			summary:  "Print who may do what with a node",
			examples: []string{"getAcl /app", "getAcl -s /app"},
			run:      runGetACL,
		},
		{
			name: "setAcl", usage: "[-s] [-v version] [-R] path acl", least: 2,
			options: []option{
				{name: "s", help: "stats"}, {name: "v", value: "version", help: "set only this version of the ACL"},
				{name: "R", help: "recursive"},
			},
			summary: "Set who may do what with a node",
			details: "An ACL is scheme:id:permissions, several of them separated by commas. Permissions\n" +
				"are c create, d delete, r read, w write, a admin.",
			examples: []string{"setAcl /app world:anyone:r,auth::cdrwa", "setAcl -R /app ip:10.0.0.0/8:cdrw"},
			run:      runSetACL,
		},
		{
			name: "addauth", usage: "scheme auth", least: 1,
			summary:  "Authenticate this session",
			examples: []string{"addauth digest bob:password"},
			run:      runAddAuth,
		},
		{
			name: "whoami", usage: "", raw: true,
			summary:  "Print as whom the server knows this session",
			examples: []string{"whoami"},
			run:      runWhoAmI,
		},
	}
}

func runGetACL(ctx context.Context, sh *shell, p *parsed) error {
	acl, stat, err := sh.client().ACL(ctx, p.args[0])
	if err != nil {
		return err
	}
	doc := struct {
		Path string   `json:"path"`
		ACL  []aclDoc `json:"acl"`
		Stat *statDoc `json:"stat"`
	}{p.args[0], newACLDocs(acl), newStatDoc(stat)}
	sh.emit(doc, func(w io.Writer) {
		for _, a := range acl {
			fmt.Fprintf(w, "'%s,'%s\n: %s\n", a.Scheme, a.ID, a.Perms)
		}
		if p.has("s") {
			printStat(w, stat)
		}
	})
	return nil
}

func runSetACL(ctx context.Context, sh *shell, p *parsed) error {
	path := p.args[0]
	acl := parseACL(sh.printer, p.args[1])
	version, err := p.integer("v", 32, -1)
	if err != nil {
		return err
	}
	if p.has("R") {
		return setACLs(ctx, sh, path, acl, int32(version))
	}
	if len(acl) == 0 {
		return &client.OpError{Op: "setACL", Err: client.ErrInvalidACL}
	}
	stat, err := sh.client().SetACL(ctx, path, acl, int32(version))
	if err != nil {
		return err
	}
	sh.emitStat(path, stat, p.has("s"))
	return nil
}

// setACLs sets the ACL of a whole subtree. What is refused is told, and the
// rest still done.
func setACLs(ctx context.Context, sh *shell, root string, acl client.ACLs, version int32) error {
	all, err := readTree(ctx, sh.client(), root, -1)
	if err != nil {
		return err
	}
	children := func(path string) ([]string, error) { return all[path], nil }
	return visitDepthFirst(root, children, func(path string) error {
		stat, err := sh.client().SetACL(ctx, path, acl, version)
		code, refused := codeOf(err)
		switch {
		case err == nil:
			sh.emitStat(path, stat, false)
		case refused && !errors.Is(err, client.ErrConnectionLoss):
			sh.emit(errorDoc{Message: message(err), Code: int32(code), Name: codeWords[code], Path: path}, func(w io.Writer) {
				fmt.Fprintln(w, keeperMessage(code, path))
			})
		default:
			return err
		}
		return nil
	})
}

func runAddAuth(ctx context.Context, sh *shell, p *parsed) error {
	err := sh.conn.authenticate(ctx, p.args[0], []byte(p.arg(1)))
	if !errors.Is(err, client.ErrAuthFailed) || sh.json {
		return err
	}
	sh.drain()
	sh.print(nil, func(w io.Writer) { printEvent(w, "AuthFailed", "None", "null", -1) })
	return nil
}

func runWhoAmI(ctx context.Context, sh *shell, _ *parsed) error {
	infos, err := sh.client().WhoAmI(ctx)
	if err != nil {
		return err
	}
	type identity struct {
		Scheme string `json:"scheme"`
		User   string `json:"user"`
	}
	doc := struct {
		Identities []identity `json:"identities"`
	}{}
	for _, i := range infos {
		doc.Identities = append(doc.Identities, identity{i.Scheme, i.User})
	}
	sh.emit(doc, func(w io.Writer) {
		fmt.Fprintln(w, "Auth scheme: User")
		for _, i := range infos {
			fmt.Fprintf(w, "%s: %s\n", i.Scheme, i.User)
		}
	})
	return nil
}
