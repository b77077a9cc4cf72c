package cli

import (
	"cmp"
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/config"
)

const (
	defaultServers = "localhost:2181"
	// serversVariable names the environment variable that replaces it.
	serversVariable = "QUOLL_SERVER"
	defaultTimeout  = 30 * time.Second
)

// invocationFlags are the options before the command.
var invocationFlags = []string{"server", "timeout", "r", "client-configuration", "waitforconnection", "auth", "l", "o", "help"}

// invocation is the command line of the process.
type invocation struct {
	servers    string
	timeout    time.Duration
	readOnly   bool
	present    bool // reads are linearizable
	wait       bool
	properties string // file
	json       bool
	help       bool
	auth       []string // scheme:auth
	unknown    []string
	command    []string
}

// parseInvocation reads options up to the first word that is none.
func parseInvocation(args []string) (*invocation, error) {
	o := &invocation{servers: cmp.Or(os.Getenv(serversVariable), defaultServers), timeout: defaultTimeout}
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		name, value, joined := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(args[0], "-"), "-"), "=")
		flag := args[0]
		args = args[1:]
		if !joined && takesValue(name) {
			if len(args) == 0 {
				return nil, &failure{message: "Error: no argument found for option " + flag, code: exitUsage}
			}
			value, args = args[0], args[1:]
		}
		if err := o.set(name, value, flag); err != nil {
			return nil, err
		}
	}
	o.command = args
	return o, nil
}

// addServers adds the flag that names servers. Its help has the default that everybody has, and not what the environment
// says: help is copied to others.
func addServers(f *pflag.FlagSet, o *invocation, form string) {
	f.StringVar(&o.servers, "server", cmp.Or(os.Getenv(serversVariable), defaultServers), form+"; "+serversVariable+" of the environment sets it, too")
	f.Lookup("server").DefValue = defaultServers
}

func takesValue(name string) bool {
	switch name {
	case "server", "timeout", "client-configuration", "auth", "o", "output":
		return true
	}
	return false
}

func (o *invocation) set(name, value, flag string) error {
	switch name {
	case "server":
		o.servers = value
	case "timeout":
		ms, err := strconv.ParseInt(value, 10, 32)
		if err != nil || ms <= 0 {
			return &failure{message: flag + " wants milliseconds, not " + strconv.Quote(value), code: exitUsage}
		}
		o.timeout = time.Duration(ms) * time.Millisecond
	case "client-configuration":
		o.properties = value
	case "o", "output":
		if value != "json" && value != "text" {
			return &failure{message: flag + " wants text or json, not " + strconv.Quote(value), code: exitUsage}
		}
		o.json = value == "json"
	case "auth":
		if strings.IndexByte(value, ':') < 1 {
			return &failure{message: flag + " wants scheme:auth, as digest:user:password", code: exitUsage}
		}
		o.auth = append(o.auth, value)
	case "r":
		o.readOnly = true
	case "l", "linearizable":
		o.present = true
	case "waitforconnection":
		o.wait = true
	case "h", "help":
		o.help = true
	default:
		o.unknown = append(o.unknown, flag)
	}
	return nil
}

// connectConfig is how to connect, as the options and the properties say.
// Unknown options are passed over, as by Apache's CLI, but not in silence.
func (o *invocation) connectConfig(p *printer) (connectConfig, error) {
	for _, flag := range o.unknown {
		p.note("Unknown option %s is ignored; see quoll cli --help", flag)
	}
	c := connectConfig{servers: o.servers, timeout: o.timeout, readOnly: o.readOnly, wait: o.wait, auth: o.auth}
	settings, warnings, err := config.LoadClient(config.Sources{File: o.properties, Env: os.Environ()})
	if err != nil {
		return c, Misuse(err)
	}
	for _, w := range warnings {
		p.note("%s: %s", w.Origin, w.Msg)
	}
	if settings.DisableWatchReset {
		p.note("disableAutoWatchReset has no effect: quoll cli sets its watches again on every connection")
	}
	if settings.Secure {
		p.say("Secure connection is enabled")
	}
	if err := c.secure(settings); err != nil {
		return c, Misuse(err)
	}
	if o.present {
		c.options = append(c.options, client.WithLinearizableReads())
	}
	for _, a := range o.auth {
		scheme, auth, _ := strings.Cut(a, ":")
		c.options = append(c.options, client.WithAuth(scheme, []byte(auth)))
	}
	return c, nil
}

// completeRemote lists the paths that begin with prefix. It gives up early: it
// runs while somebody waits at a keyboard.
func completeRemote(ctx context.Context, cfg connectConfig, prefix string) []string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, cfg.servers, append(cfg.options, client.WithFailFast())...)
	if err != nil {
		return nil
	}
	defer c.Close()
	return completePath(ctx, c, prefix)
}
