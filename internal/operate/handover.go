// Package operate has the commands for operators that a server's admin port carries out.
package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/internal/cli"
	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/tlsconf"
)

const (
	// authEnv has what --auth has, for those who want it in no list of processes.
	authEnv = "QUOLL_ADMIN_AUTH"
	// patience is how long an answer is waited for.
	patience = 30 * time.Second
	// maxAnswer bounds an answer, in bytes.
	maxAnswer = 1 << 20
)

// NewHandOver returns the command by which a leader lets another member lead.
func NewHandOver() *cobra.Command {
	var authorization, properties string
	cmd := &cobra.Command{
		Use:   "hand-over [URL]",
		Short: "Let another member of the ensemble lead",
		Long: `hand-over asks the leader of an ensemble to give up its role without losing a
request: it takes nothing new for a few milliseconds, and the member with the
most transactions leads. URL is of the leader's admin server. The identity
needs all permissions on the root znode. An URL of https is asked by TLS, with the
authorities and the certificate of --client-configuration or CLIENT_JVMFLAGS
(zookeeper.ssl.trustStore.location and so on), or with the system's authorities.`,
		Example: `  quoll hand-over http://zk1:8080 --auth "digest ops:secret"
  quoll hand-over https://zk1:8080 --client-configuration ops.properties
  QUOLL_ADMIN_AUTH="digest ops:secret" quoll hand-over`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := "localhost:8080"
			if len(args) > 0 {
				text = args[0]
			}
			server, err := parse(text)
			if err != nil {
				return cli.Misuse(err)
			}
			web, err := browser(cmd.ErrOrStderr(), server.Hostname(), properties)
			if err != nil {
				return cli.Misuse(err)
			}
			leader, err := handOver(cmd.Context(), web, server, authorization)
			if err != nil {
				return fmt.Errorf("hand-over: %w", err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "server %d leads\n", leader)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&authorization, "auth", os.Getenv(authEnv), "scheme and identity, such as \"digest user:password\"; "+authEnv+" if it is not set")
	f.Lookup("auth").DefValue = "" // help shows no secrets
	f.StringVar(&properties, "client-configuration", "", "file of properties for TLS, as for Apache's client")
	return cmd
}

// parse reads the URL of an admin server, which may lack its beginning.
func parse(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil {
		return nil, err
	}
	if u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%s: want the URL of an admin server, as http://zk1:8080", text)
	}
	return u, nil
}

// browser speaks HTTPS to a host with the stores that a file of properties, CLIENT_JVMFLAGS and JVMFLAGS name, as quoll
// cli does. Without them it believes the system's authorities.
func browser(errs io.Writer, host, properties string) (*http.Client, error) {
	settings, warnings, err := config.LoadClient(config.Sources{File: properties, Env: os.Environ()})
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		fmt.Fprintln(errs, w)
	}
	source, err := tlsconf.Open(settings.TLS, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: source.Client(host)}}, nil
}

// handOver asks a server, and returns the number of the one that leads now.
func handOver(ctx context.Context, web *http.Client, server *url.URL, authorization string) (leader int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.JoinPath("commands", "hand_over").String(), nil)
	if err != nil {
		return 0, err
	}
	if authorization != "" {
		req.Header.Set("Authorization", header(authorization))
	}
	resp, err := web.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, err
	}
	var answer struct {
		Leader int64   `json:"leader"`
		Error  *string `json:"error"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, fmt.Errorf("%s is no admin server: status %s", server, resp.Status)
	}
	switch {
	case answer.Error != nil && resp.StatusCode == http.StatusUnauthorized:
		return 0, fmt.Errorf("%s; say who asks by --auth, as --auth \"digest ops:secret\"", *answer.Error)
	case answer.Error != nil:
		return 0, errors.New(*answer.Error)
	}
	if resp.StatusCode != http.StatusOK || answer.Leader == 0 {
		return 0, fmt.Errorf("status %s", resp.Status)
	}
	return answer.Leader, nil
}

// header is scheme and identity as the admin server wants them, also if they were given as quoll cli takes them, with a colon
// between.
func header(authorization string) string {
	scheme, identity, ok := strings.Cut(authorization, ":")
	if !ok || strings.Contains(scheme, " ") {
		return authorization
	}
	return scheme + " " + identity
}
