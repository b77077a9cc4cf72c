package functions

import (
	"context"
	"fmt"
	"strings"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/configcenter"
)

// nothing is the error of reading contexts that have no properties. It says why: because
// nothing was ever published, because there are canaries alone, which are for others, or
// because what was there has been removed.
func (c *configuring) nothing(ctx context.Context, center *configcenter.Center, what string, revisions map[string]int64, contexts ...string) error {
	var why []string
	for _, name := range contexts {
		if revisions[name] == 0 {
			continue
		}
		canaries, err := center.Canaries(ctx, name)
		if err != nil {
			return err
		}
		var names []string
		for _, canary := range canaries {
			names = append(names, canary.Name)
		}
		if len(names) > 0 {
			why = append(why, fmt.Sprintf("only some instances see its canaries %s: quoll config canary list %s", strings.Join(names, ", "), name))
		} else {
			why = append(why, fmt.Sprintf("revision %d has left none: quoll config history %s", revisions[name], name))
		}
	}
	if len(why) == 0 {
		return c.neverPublished(what, contexts...)
	}
	return fmt.Errorf("there are no properties for %q: %s", what, strings.Join(why, "; "))
}

// neverPublished is the error of reading contexts in which nothing was published.
func (c *configuring) neverPublished(what string, contexts ...string) error {
	nodes := make([]string, len(contexts))
	for i, name := range contexts {
		nodes[i] = client.Join(c.root, name)
	}
	return fmt.Errorf("nothing is published for %q: no properties below %s", what, strings.Join(nodes, ", "))
}

// everPublished fails if a context has no properties and never had any.
func (c *configuring) everPublished(ctx context.Context, center *configcenter.Center, name string) error {
	properties, revision, err := center.Properties(ctx, name)
	if err == nil && len(properties) == 0 && revision == 0 {
		err = c.neverPublished(name, name)
	}
	return err
}
