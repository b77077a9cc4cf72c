package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/quollhq/quoll/client"
)

// namesWith are the names of commands that begin with prefix.
func namesWith(all []*command, prefix string) []string {
	var names []string
	for _, c := range all {
		if strings.HasPrefix(c.name, prefix) {
			names = append(names, c.name)
		}
	}
	return names
}

// completePath lists the paths of nodes that begin with prefix, which begins
// with a slash.
func completePath(ctx context.Context, c *client.Client, prefix string) []string {
	cut := strings.LastIndexByte(prefix, '/')
	parent := prefix[:max(cut, 1)]
	names, err := c.ChildNames(ctx, parent)
	if err != nil {
		return nil
	}
	slices.Sort(names)
	var paths []string
	for _, name := range names {
		if strings.HasPrefix(name, prefix[cut+1:]) {
			paths = append(paths, client.Join(parent, name))
		}
	}
	return paths
}

// complete finds what the word before the cursor may become: commands, or
// paths if it begins with a slash.
func (sh *shell) complete(ctx context.Context, line string) (word string, candidates []string) {
	word = line[strings.LastIndexByte(line, ' ')+1:]
	switch {
	case strings.HasPrefix(word, "/"):
		if sh.connected() {
			candidates = completePath(ctx, sh.client(), word)
		}
	case word == line || strings.TrimSpace(line) == "help" || strings.HasPrefix(line, "help "):
		candidates = namesWith(sh.commands, word)
	}
	return word, candidates
}

// commonPrefix is the longest prefix of all words.
func commonPrefix(words []string) string {
	if len(words) == 0 {
		return ""
	}
	prefix := words[0]
	for _, w := range words[1:] {
		for !strings.HasPrefix(w, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	return prefix
}
