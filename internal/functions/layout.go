package functions

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/discovery"
	"github.com/quollhq/quoll/internal/cli"
)

// layoutFlags say in which layout services lie.
type layoutFlags struct {
	name, base string
}

func (l *layoutFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.name, "layout", "curator", "curator (Curator, Spring Cloud, Dubbo's applications), dubbo (its interfaces) or serverset")
	cmd.Flags().StringVar(&l.base, "base", "", "node that holds the services (default /services, /dubbo or /)")
}

// discovery makes a Discovery in the layout. Warnings go to errs.
func (l *layoutFlags) discovery(c *client.Client, errs io.Writer) (*discovery.Discovery, error) {
	var layout discovery.Layout
	switch l.name {
	case "curator":
		layout = discovery.Curator{Base: l.base}
	case "dubbo":
		layout = discovery.Dubbo{Group: strings.Trim(l.base, "/")}
	case "serverset":
		layout = discovery.ServerSet{Base: l.base}
	default:
		return nil, cli.Misuse(fmt.Errorf("--layout wants curator, dubbo or serverset, not %q", l.name))
	}
	return discovery.New(c, discovery.WithLayout(layout), discovery.WithLogger(warnings(errs))), nil
}
