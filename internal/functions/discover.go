package functions

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/discovery"
	"github.com/quollhq/quoll/discovery/dnsserver"
	"github.com/quollhq/quoll/internal/cli"
)

// discovering is what the flags of `quoll discover` say.
type discovering struct {
	dial        *cli.Dialer
	layout      layoutFlags
	watch       bool
	dns, domain string
}

// newDiscover makes `quoll discover`.
func newDiscover() *cobra.Command {
	d := &discovering{}
	cmd := &cobra.Command{
		Use:   "discover [SERVICE]",
		Short: "List services, or the instances of one, or answer DNS queries for them",
		Long: `List services, or the instances of one, or answer DNS queries for them.

That there is no such service is an error, unless changes are watched: it may
come, and standard error says that there is none so far. A service remains for a while when its last instance has left.`,
		Example: `  quoll discover
  quoll discover orders
  quoll discover orders --watch
  quoll discover --dns 127.0.0.1:8600 --domain quoll.internal`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return d.run(cmd, args) },
	}
	d.dial = cli.NewDialer(cmd)
	d.dial.AddOutput(cmd)
	d.layout.add(cmd)
	cmd.Flags().BoolVarP(&d.watch, "watch", "w", false, "print changes as they come: + came, - left, ~ changed")
	cmd.Flags().StringVar(&d.dns, "dns", "", "address to answer DNS queries at")
	cmd.Flags().StringVar(&d.domain, "domain", "quoll.internal", "domain of the answers")
	return cmd
}

func (d *discovering) run(cmd *cobra.Command, args []string) error {
	if err := d.consistent(cmd, len(args) > 0); err != nil {
		return err
	}
	return d.dial.Patient(d.watch || d.dns != "").With(cmd, func(ctx context.Context, c *client.Client) error {
		disc, err := d.layout.discovery(c, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		out := cmd.OutOrStdout()
		switch {
		case d.dns != "":
			return unlessInterrupted(ctx, dnsserver.New(disc, d.domain).ListenAndServe(ctx, d.dns))
		case len(args) == 0:
			return d.services(ctx, cmd, disc)
		case d.watch:
			return unlessInterrupted(ctx, d.follow(ctx, cmd, disc, args[0]))
		}
		now, err := disc.Instances(ctx, args[0])
		if err == nil && len(now.Instances)+len(now.Problems) == 0 {
			err = d.exists(ctx, c, disc, args[0])
		}
		if err == nil {
			d.print(out, cmd.ErrOrStderr(), now)
		}
		return err
	})
}

// consistent fails if the flags do not fit together, or not to there being a
// service.
func (d *discovering) consistent(cmd *cobra.Command, service bool) error {
	asked := cmd.Flags().Changed("dns")
	switch {
	case asked && d.dns == "":
		return wrongArguments(cmd, errors.New("--dns wants an address, as 127.0.0.1:8600"))
	case asked && service:
		return wrongArguments(cmd, errors.New("--dns answers for all services: it wants none"))
	case asked && d.watch:
		return wrongArguments(cmd, errors.New("--dns answers until it is interrupted, --watch prints: only one of them"))
	case d.watch && !service:
		return wrongArguments(cmd, errors.New("--watch wants a service"))
	case !asked:
		return idle(cmd, "--dns", "domain")
	}
	return nil
}

// exists fails if there is no such service.
func (d *discovering) exists(ctx context.Context, c *client.Client, disc *discovery.Discovery, service string) error {
	dir, err := disc.Dir(service)
	if err != nil {
		return err
	}
	_, found, err := c.Exists(ctx, dir)
	if err == nil && !found {
		err = fmt.Errorf("there is no service %q: no node %s", service, dir)
	}
	return err
}

func (d *discovering) services(ctx context.Context, cmd *cobra.Command, disc *discovery.Discovery) error {
	out := cmd.OutOrStdout()
	names, err := disc.Services(ctx)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		note(cmd, "there are no services so far")
	}
	if d.dial.JSON() {
		printJSON(out, map[string][]string{"services": append([]string{}, names...)})
		return nil
	}
	for _, name := range names {
		fmt.Fprintln(out, name)
	}
	return nil
}

// instanceDoc is an instance in JSON.
type instanceDoc struct {
	ID       string            `json:"id"`
	Address  string            `json:"address"`
	Port     int               `json:"port,omitempty"`
	SSLPort  int               `json:"sslPort,omitempty"`
	Scheme   string            `json:"scheme,omitempty"`
	State    string            `json:"state"` // ready or draining
	Weight   int               `json:"weight"`
	Zone     string            `json:"zone"`
	Static   bool              `json:"static,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Payload  json.RawMessage   `json:"payload,omitempty"`
	Path     string            `json:"path"`
}

// snapshotDoc is a snapshot in JSON.
type snapshotDoc struct {
	Service   string        `json:"service"`
	Instances []instanceDoc `json:"instances"`
	Stale     bool          `json:"stale,omitempty"`
	Held      int           `json:"held,omitempty"`
	Problems  []string      `json:"problems,omitempty"`
}

func newSnapshotDoc(s discovery.Snapshot) snapshotDoc {
	doc := snapshotDoc{Service: s.Service, Instances: []instanceDoc{}, Stale: s.Stale, Held: s.Held}
	for _, in := range s.Instances {
		doc.Instances = append(doc.Instances, instanceDoc{
			in.ID, in.Address, in.Port, in.SSLPort, in.Scheme, state(in), max(in.Weight, 1), in.Zone, in.Static, in.Metadata, in.Payload, in.Path,
		})
	}
	for _, problem := range s.Problems {
		doc.Problems = append(doc.Problems, problem.Error())
	}
	return doc
}

func (d *discovering) print(out, errs io.Writer, s discovery.Snapshot) {
	if d.dial.JSON() {
		printJSON(out, newSnapshotDoc(s))
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tADDRESS\tSTATE\tWEIGHT\tZONE\tMETADATA")
	for _, in := range s.Instances {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", in.ID, where(in), state(in), max(in.Weight, 1), cmp.Or(in.Zone, "-"), metadata(in))
	}
	_ = w.Flush() // as with every other line, nobody can be told
	for _, problem := range s.Problems {
		fmt.Fprintln(errs, problem)
	}
}

// where is an instance's address, with its port if it has one.
func where(in discovery.Instance) string {
	if in.Port == 0 && in.SSLPort == 0 {
		return in.Address
	}
	return in.HostPort()
}

func state(in discovery.Instance) string {
	if in.Draining {
		return "draining"
	}
	return "ready"
}

func metadata(in discovery.Instance) string {
	var words []string
	for _, key := range slices.Sorted(maps.Keys(in.Metadata)) {
		words = append(words, key+"="+in.Metadata[key])
	}
	return cmp.Or(strings.Join(words, " "), "-")
}

// follow prints changes until ctx ends.
func (d *discovering) follow(ctx context.Context, cmd *cobra.Command, disc *discovery.Discovery, name string) error {
	out := cmd.OutOrStdout()
	s, err := disc.Follow(ctx, name)
	if err != nil {
		return err
	}
	defer s.Close()
	if len(s.Snapshot().Instances) == 0 {
		note(cmd, "service %q has no instances so far", name)
	}
	var last discovery.Snapshot
	for now, err := range s.Snapshots(ctx) {
		if err != nil {
			return err
		}
		if d.dial.JSON() {
			printJSON(out, newSnapshotDoc(now))
		} else {
			printChanges(out, last, now)
		}
		last = now
	}
	return nil
}

// printChanges prints in what a snapshot differs from the one before.
func printChanges(out io.Writer, before, now discovery.Snapshot) {
	line := func(mark string, in discovery.Instance) {
		fmt.Fprintf(out, "%s %s %s %s weight=%d zone=%s %s\n", mark, in.ID, where(in), state(in), max(in.Weight, 1), cmp.Or(in.Zone, "-"), metadata(in))
	}
	old := make(map[string]discovery.Instance)
	for _, in := range before.Instances {
		old[in.ID] = in
	}
	for _, in := range now.Instances {
		was, known := old[in.ID]
		delete(old, in.ID)
		switch {
		case !known:
			line("+", in)
		case !reflect.DeepEqual(was, in):
			line("~", in)
		}
	}
	for _, in := range before.Instances {
		if _, gone := old[in.ID]; gone {
			line("-", in)
		}
	}
	if now.Stale != before.Stale {
		fmt.Fprintln(out, map[bool]string{true: "! no server is reached: the instances above stand", false: "! a server is reached again"}[now.Stale])
	}
}
