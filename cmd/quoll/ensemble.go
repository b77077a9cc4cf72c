package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/quollhq/quoll/internal/cli"
	"github.com/quollhq/quoll/internal/logline"
	"github.com/quollhq/quoll/server"
)

// The ports of an ensemble in one process, counted from the first member's client port: with 2181, Apache's usual ones.
const (
	quorumPorts   = 2888 - 2181
	electionPorts = 3888 - 2181
	mostMembers   = 9
)

// runEnsemble runs n members in this process until ctx ends or one of them cannot go on. Settings are those of the
// command line: clientPort and admin.serverPort are the first member's, and dataDir has a directory for each.
func runEnsemble(ctx context.Context, n int, settings map[string]string, out io.Writer) error {
	if n < 1 || n > mostMembers {
		return cli.Misuse(fmt.Errorf("--ensemble %d: want a number of members from 1 to %d", n, mostMembers))
	}
	members, err := ensembleSettings(n, settings)
	if err != nil {
		return err
	}
	if err := tryPorts(ctx, members); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var ended sync.WaitGroup
	var ready atomic.Int32
	errs := make([]error, n)
	isReady := func() {
		if ready.Add(1) == int32(n) {
			fmt.Fprintf(out, "%d members run; clients: %s\n", n, clientAddresses(members))
		}
	}
	for i, m := range members {
		log := logline.New(os.Stderr, slog.LevelInfo).With("member", i+1)
		s, err := server.New(server.Options{Env: os.Environ(), Settings: m, Logger: log, Ready: isReady})
		if err != nil {
			cancel()
			ended.Wait()
			return err
		}
		ended.Go(func() {
			defer cancel()
			if err := s.Run(ctx); !errors.Is(err, context.Canceled) {
				errs[i] = err // and not that another one has failed
			}
		})
	}
	ended.Wait()
	return inLog(errors.Join(errs...))
}

// tryPorts sees whether the members' ports are free: members try again for a while, and each says so for itself.
func tryPorts(ctx context.Context, members []map[string]string) error {
	var taken []string
	for i, m := range members {
		_, own, _ := strings.Cut(m[fmt.Sprintf("server.%d", i+1)], ":")
		quorum, election, _ := strings.Cut(own, ":")
		at := []struct{ what, host, port string }{
			{"clients", m["clientPortAddress"], m["clientPort"]},
			{"members", "127.0.0.1", quorum}, {"elections", "127.0.0.1", election},
		}
		if m["admin.enableServer"] != "false" {
			at = append(at, struct{ what, host, port string }{"admin", m["admin.serverAddress"], m["admin.serverPort"]})
		}
		for _, a := range at {
			sock, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(a.host, a.port))
			if err == nil {
				sock.Close()
				continue
			}
			if !errors.Is(err, syscall.EADDRINUSE) {
				return fmt.Errorf("member %d, port for %s: %w", i+1, a.what, err)
			}
			taken = append(taken, fmt.Sprintf("%s (member %d, %s)", a.port, i+1, a.what))
		}
	}
	if len(taken) == 0 {
		return nil
	}
	return fmt.Errorf("other programs listen on ports that the members need, perhaps an ensemble that still runs: %s; stop them, or choose others with --client-port and --admin-server-port",
		strings.Join(taken, ", "))
}

// ensembleSettings are those of each member. It makes their directories.
func ensembleSettings(n int, settings map[string]string) ([]map[string]string, error) {
	base := settings["dataDir"]
	if base == "" {
		base = "quoll-data"
	}
	client, err := firstPort(settings, "clientPort", 2181)
	if err != nil {
		return nil, err
	}
	admin, err := firstPort(settings, "admin.serverPort", 8080)
	if err != nil {
		return nil, err
	}
	all := make([]map[string]string, n)
	for i := range all {
		m := maps.Clone(settings)
		m["dataDir"] = filepath.Join(base, strconv.Itoa(i+1))
		m["clientPort"], m["admin.serverPort"] = strconv.Itoa(client+i), strconv.Itoa(admin+i)
		m["standaloneEnabled"] = "false"
		for key, value := range map[string]string{"initLimit": "10", "syncLimit": "5"} {
			if m[key] == "" {
				m[key] = value
			}
		}
		for j := range n {
			m[fmt.Sprintf("server.%d", j+1)] = fmt.Sprintf("127.0.0.1:%d:%d", client+quorumPorts+j, client+electionPorts+j)
		}
		if err := os.MkdirAll(m["dataDir"], 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(m["dataDir"], "myid"), fmt.Appendln(nil, i+1), 0o644); err != nil {
			return nil, err
		}
		all[i] = m
	}
	return all, nil
}

func firstPort(settings map[string]string, key string, otherwise int) (int, error) {
	text, ok := settings[key]
	if !ok {
		return otherwise, nil
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port+electionPorts+mostMembers > 65535 {
		return 0, fmt.Errorf("%s=%s: with --ensemble, want the first of some ports, from 1 to %d", key, text, 65535-electionPorts-mostMembers)
	}
	return port, nil
}

func clientAddresses(members []map[string]string) string {
	var list []string
	for _, m := range members {
		list = append(list, "127.0.0.1:"+m["clientPort"])
	}
	return strings.Join(list, ",")
}
