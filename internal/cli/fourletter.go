package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/internal/tlsconf"
)

// refused is how servers answer a word that their configuration does not allow.
const refused = " is not executed because it is not in the whitelist."

// NewFourLetterWord makes `quoll 4lw`.
func NewFourLetterWord() *cobra.Command {
	var o invocation
	var limit time.Duration
	cmd := &cobra.Command{
		Use:   "4lw [word]",
		Short: "Ask servers by a four-letter word",
		Long: `Send a four-letter word, srvr if none is given, to the client port of each server
and print the answers. Servers answer srvr, and the words that
4lw.commands.whitelist allows.`,
		Example: `  quoll 4lw
  quoll 4lw mntr --server zk1:2181
  quoll 4lw srvr --server zk1,zk2,zk3 | grep -e == -e Mode`,
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: strings.Fields("conf cons crst dirs dump envi gtmk hash isro mntr ruok srst srvr stat stmk wchc wchp wchs"),
		RunE: func(cmd *cobra.Command, args []string) error {
			word := "srvr"
			if len(args) > 0 {
				word = args[0]
			}
			if len(word) != 4 {
				return Misuse(fmt.Errorf("%q has not four letters", word))
			}
			c, err := o.connectConfig(&printer{out: io.Discard, err: cmd.ErrOrStderr()})
			if err != nil {
				return err
			}
			return askAll(cmd.Context(), cmd.OutOrStdout(), c, word, limit)
		},
	}
	f := cmd.Flags()
	addServers(f, &o, "host:port[,host:port...]")
	f.StringVar(&o.properties, "client-configuration", "", "file of properties for TLS, as for Apache's client")
	f.DurationVar(&limit, "timeout", 10*time.Second, "how long one server may take")
	return cmd
}

// askAll prints each server's answer, under its address if there are several, and goes on behind a failure.
func askAll(ctx context.Context, out io.Writer, c connectConfig, word string, limit time.Duration) error {
	servers, _ := hosts(c.servers)
	if len(servers) == 0 {
		return fmt.Errorf("servers %q: no server named", c.servers)
	}
	var errs []error
	for _, server := range servers {
		if len(servers) > 1 {
			fmt.Fprintf(out, "== %s\n", server)
		}
		if err := ask(ctx, out, c.tls, server, word, limit); err != nil {
			errs = append(errs, fmt.Errorf("%s from %s: %w", word, server, err))
		}
	}
	return errors.Join(errs...)
}

// ask prints one server's answer as it comes: some are long.
func ask(ctx context.Context, out io.Writer, source *tlsconf.Source, server, word string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	dial := (&net.Dialer{}).DialContext
	if source != nil {
		dial = tlsDialer(source)
	}
	conn, err := dial(ctx, "tcp", server)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := io.WriteString(conn, word); err != nil {
		return err
	}
	answer := bufio.NewReader(conn)
	start, err := answer.Peek(len(word) + len(refused))
	if len(start) == 0 {
		if err == nil || errors.Is(err, io.EOF) {
			return errors.New("an empty answer: the server has nothing to tell, does not know the word, or wants TLS")
		}
		return err
	}
	no := string(start) == word+refused
	if _, err := io.Copy(out, answer); err != nil {
		return err
	}
	if no {
		return fmt.Errorf("refused; 4lw.commands.whitelist=%s in the server's configuration allows it", word)
	}
	return nil
}

// hosts takes a list of servers apart, as the client does: host:port of each, and the chroot behind them.
func hosts(servers string) (list []string, chroot string) {
	if i := strings.IndexByte(servers, '/'); i >= 0 {
		servers, chroot = servers[:i], strings.TrimSuffix(servers[i:], "/")
	}
	for host := range strings.SplitSeq(servers, ",") {
		if host = strings.TrimSpace(host); host == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), "2181")
		}
		list = append(list, host)
	}
	return list, chroot
}
