// Package operate has the commands for operators that a server's admin port carries out.
package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
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
	var authorization string
	cmd := &cobra.Command{
		Use:   "hand-over [URL]",
		Short: "Let another member of the ensemble lead",
		Long: `hand-over asks the leader of an ensemble to give up its role without losing a
request: it takes nothing new for a few milliseconds, and the member with the
most transactions leads. URL is of the leader's admin server. The identity
needs all permissions on the root znode.`,
		Example: `  quoll hand-over http://zk1:8080 --auth "digest ops:secret"
  QUOLL_ADMIN_AUTH="digest ops:secret" quoll hand-over`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			url := "http://localhost:8080"
			if len(args) > 0 {
				url = args[0]
			}
			leader, err := handOver(cmd.Context(), url, authorization)
			if err != nil {
				return fmt.Errorf("hand-over: %w", err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "server %d leads\n", leader)
			return err
		},
	}
	cmd.Flags().StringVar(&authorization, "auth", os.Getenv(authEnv), "scheme and identity, such as \"digest user:password\"; "+authEnv+" if it is not set")
	return cmd
}

// handOver asks a server, and returns the number of the one that leads now.
func handOver(ctx context.Context, url, authorization string) (leader int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(url, "/")+"/commands/hand_over", nil)
	if err != nil {
		return 0, err
	}
	if authorization != "" {
		req.Header.Set("Authorization", header(authorization))
	}
	resp, err := http.DefaultClient.Do(req)
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
		return 0, fmt.Errorf("%s is no admin server: status %s", url, resp.Status)
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
