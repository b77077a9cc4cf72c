package cli

import (
	"context"
	"slices"
	"strings"
)

// command is one word of the CLI.
type command struct {
	name string
	// usage is what follows the name in the synopsis.
	usage   string
	options []option
	// least and most bound the arguments; most 0 means any number.
	least, most int
	// verbose adds the options to the message about a wrong call.
	verbose bool
	// raw commands take all words as arguments, hyphens or not.
	raw bool
	// offline commands need no connection.
	offline bool
	// quiet commands are not Apache's: given to the process, they print nothing
	// of the connection.
	quiet    bool
	summary  string
	details  string
	examples []string
	run      func(ctx context.Context, sh *shell, p *parsed) error
}

// commands are all commands, sorted by name.
func commands() []*command {
	all := slices.Concat(nodeCommands(), listCommands(), aclCommands(), quotaCommands(), watchCommands(),
		ensembleCommands(), sessionCommands(), historyCommands(), copyCommands(), benchCommands())
	slices.SortFunc(all, func(a, b *command) int { return strings.Compare(a.name, b.name) })
	return all
}

// synopsis is the call's form.
func (c *command) synopsis() string { return c.name + " " + c.usage }

// wrongCall is the failure of a command called with the wrong arguments.
func (c *command) wrongCall() error {
	s := c.synopsis()
	if c.verbose {
		s += "\n" + describe(slices.DeleteFunc(slices.Clone(c.options), func(o option) bool { return o.own }))
	}
	return failf("%s", s)
}

// parse takes a call's words apart, the command's name first.
func (c *command) parse(words []string) (*parsed, error) {
	if c.raw {
		return &parsed{args: words[1:]}, nil
	}
	p, err := parseOptions(c.options, words[1:])
	if err != nil {
		return nil, err
	}
	if len(p.args) < c.least || c.most > 0 && len(p.args) > c.most {
		return nil, c.wrongCall()
	}
	return p, nil
}
