package cli

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/quollhq/quoll/client"
)

// shell is the state between one command line and the next.
type shell struct {
	*printer
	config   connectConfig
	commands []*command
	conn     *connection // nil before the first
	history  []string    // by number
	count    int         // number of the line being done
	watches  bool        // print events
	code     int         // exit code of the last command
	done     bool        // quit was said
	// stdin is there for the command; nil if commands come from it.
	stdin io.Reader
}

func newShell(config connectConfig, p *printer) *shell {
	return &shell{printer: p, config: config, commands: commands(), watches: true}
}

func (sh *shell) find(name string) *command {
	i := slices.IndexFunc(sh.commands, func(c *command) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return sh.commands[i]
}

// line does one line of input. Empty lines are nothing.
func (sh *shell) line(ctx context.Context, line string) {
	if line == "" {
		return
	}
	sh.history = append(sh.history, line)
	sh.execute(ctx, splitWords(line))
	sh.count++
}

// execute does one command and remembers its exit code.
func (sh *shell) execute(ctx context.Context, words []string) {
	err := sh.command(ctx, words)
	if err != nil {
		sh.drain()
		sh.fail(err)
	}
	if !sh.done { // the process ends with the code of what was before quit
		sh.code = exitCode(err)
	}
}

func (sh *shell) command(ctx context.Context, words []string) error {
	if len(words) == 0 {
		sh.usage()
		return failf("No command entered")
	}
	c := sh.find(words[0])
	if c == nil {
		sh.usage()
		return &failure{message: "Command not found: Command not found " + words[0], code: exitNotFound}
	}
	if !c.offline && !sh.connected() {
		sh.say("Not connected")
		if sh.json {
			return failf("Not connected")
		}
		return nil
	}
	p, err := c.parse(words)
	if err != nil {
		return err
	}
	return c.run(ctx, sh, p)
}

// usage lists the commands.
func (sh *shell) usage() {
	sh.note("ZooKeeper -server host:port -client-configuration properties-file cmd args")
	for _, c := range sh.commands {
		sh.note("\t%s", c.synopsis())
	}
}

// client is the connection's client.
func (sh *shell) client() *client.Client { return sh.conn.client }

// connected tells whether there is a session that may still serve.
func (sh *shell) connected() bool { return sh.conn != nil && sh.conn.alive() }

// emit prints a result: v as JSON, or text. Events that came before it are
// printed first.
func (sh *shell) emit(v any, text func(w io.Writer)) {
	sh.drain()
	sh.print(v, text)
}

// emitLine is emit for a result of one line.
func (sh *shell) emitLine(v any, format string, args ...any) {
	sh.emit(v, func(w io.Writer) { fmt.Fprintf(w, format+"\n", args...) })
}

// drain prints the events that have come so far.
func (sh *shell) drain() {
	if sh.conn != nil {
		sh.conn.printEvents()
	}
}

// prompt is what stands before a line of input.
func (sh *shell) prompt() string {
	host, state := "", "NOT_CONNECTED"
	if sh.conn != nil {
		host, state = sh.conn.servers, sh.conn.stateName()
	}
	return fmt.Sprintf("[zk: %s(%s) %d] ", host, state, sh.count)
}
