// Clients measures quoll's Go client and the functions on it beside go-zookeeper/zk, in one run on one server of quoll,
// and prints every figure with its target. It is a module of its own, so that nothing else depends on that library.
//
//	cd test/compare/clients && go run .
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/quollhq/quoll/client"
)

// bed is what the measurements run on.
type bed struct {
	addr    string
	rounds  int
	seconds float64
	table   *table
}

// measurements in the order of the table.
var measurements = []struct {
	name string
	run  func(context.Context, *bed) error
}{
	{"get", gets},
	{"idle", idle},
	{"lock", locks},
	{"cache", fillCache},
	{"config", configChange},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "clients:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	b := &bed{table: &table{}}
	f := flag.NewFlagSet("clients", flag.ContinueOnError)
	f.IntVar(&b.rounds, "rounds", 5, "rounds of gets, the clients in turn; medians are shown")
	f.Float64Var(&b.seconds, "seconds", 2, "length of a round")
	root := f.String("root", "../../..", "quoll's `directory`")
	if err := f.Parse(args); err != nil {
		return err
	}
	chosen := f.Args()
	dir, err := os.MkdirTemp("", "quoll-clients-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	stop, err := b.serve(ctx, *root, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	for _, m := range measurements {
		if len(chosen) > 0 && !slices.Contains(chosen, m.name) {
			continue
		}
		fmt.Fprintln(os.Stderr, time.Now().Format("15:04:05"), m.name)
		if err := m.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	b.table.print(os.Stdout, "cd test/compare/clients && go run . "+strings.Join(args, " "))
	return nil
}

// serve builds a server and starts it on an empty directory.
func (b *bed) serve(ctx context.Context, root, dir string) (stop func() error, err error) {
	binary := filepath.Join(dir, "quoll")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/quoll")
	build.Dir, build.Stderr = root, os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("building quoll: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b.addr = l.Addr().String()
	_, port, _ := net.SplitHostPort(b.addr)
	if err := l.Close(); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	server := exec.Command(binary, "server", "--data-dir", filepath.Join(dir, "data"), "--client-port", port,
		"--set", "admin.enableServer=false", "--set", "maxClientCnxns=0")
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	stop = func() error {
		err := server.Process.Signal(os.Interrupt)
		return errors.Join(err, server.Wait(), log.Close())
	}
	ready, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	c, err := client.Dial(ready, b.addr)
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	return stop, c.Close()
}
