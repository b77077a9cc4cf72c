// Package functions makes the coordination functions commands of the shell: quoll
// lock, elect, queue, count, register, discover, config and template.
package functions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/internal/logline"
)

// exitNotYet is EX_TEMPFAIL, the exit code when what was asked for is another's, or
// not there, and may be later.
const exitNotYet = 75

// leaveTime bounds how long a server is waited for when what is held is given back.
const leaveTime = 5 * time.Second

// maxInput bounds what is read from files of properties and from standard input,
// in bytes: more does not fit into a packet.
const maxInput = 1 << 20

// Commands makes the commands.
func Commands() []*cobra.Command {
	all := []*cobra.Command{newLock(), newElect(), newQueue(), newCount(), newRegister(), newDiscover(), newConfig(), newTemplate()}
	for _, cmd := range all {
		explain(cmd)
	}
	return all
}

// pathOf is the node of a name: itself if it is a path, else one below parent.
func pathOf(parent, name string) string {
	if name == "" {
		return "" // which is no path
	}
	if strings.HasPrefix(name, "/") {
		return name
	}
	return parent + "/" + name
}

// unlessInterrupted takes an error that is only that the user has ended the
// command for a good end.
func unlessInterrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// note tells the user what the result does not say.
func note(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(cmd.ErrOrStderr(), "quoll: "+format+"\n", args...)
}

// leaving is a context to give back what is held, also when ctx has ended.
func leaving(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
}

// readInput reads all that a command is given by what, and not a part of it.
func readInput(r io.Reader, what string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err == nil && len(data) > maxInput {
		err = fmt.Errorf("%s has more than %d bytes", what, maxInput)
	}
	return data, err
}

// warnings are logged to errs.
func warnings(errs io.Writer) *slog.Logger {
	return logline.New(errs, slog.LevelWarn)
}

// printJSON prints one line.
func printJSON(w io.Writer, v any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // what is printed here can be encoded
}
