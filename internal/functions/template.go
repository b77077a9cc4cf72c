package functions

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/configcenter"
	"github.com/quollhq/quoll/internal/cli"
	"github.com/quollhq/quoll/internal/logline"
	"github.com/quollhq/quoll/internal/render"
)

// templating is what the flags of `quoll template` say.
type templating struct {
	dial      *cli.Dialer
	layout    layoutFlags
	config    configuring
	templates []string
	mode      string
	wait      string
	once      bool
	r         render.Renderer
}

// newTemplate makes `quoll template`.
func newTemplate() *cobra.Command {
	t := &templating{}
	cmd := &cobra.Command{
		Use:   "template --template IN:OUT [flags]",
		Short: "Make files of templates, and again when what they show changes",
		Long: `Make files of templates, and again when what they show changes.

Templates are in the language of Go's text/template. Functions:
  key PATH                   data of a node; it must be there
  keyOrDefault PATH TEXT     the same, or a text
  keyExists PATH             is there such a node?
  ls PATH                    names of a node's children
  service NAME               instances that want work: .Address, .Port, .HostPort, .Zone...
  property APP NAME [PROFILE...]
                             a property that an application sees; it must be there
  config APP [PROFILE...]    all that it sees: {{range $name, $value := config "orders"}}
  env, join, split, replace, trimSpace, toUpper, toLower, parseJSON, toJSON

Files are staged and pass the check before any is put into place; then the reload
command runs, once. If a value is missing, or a check fails, all stay as they are.
A reload that fails is owed: it is tried again after the next change, and by the next
quoll template of the same file, --once too. .OUT.reload-owed beside the file says so.`,
		Example: `  quoll template --template nginx.conf.tmpl:/etc/nginx/nginx.conf --check 'nginx -t -c {}' --reload 'nginx -s reload'
  quoll template --template app.tmpl:app.conf --once
  quoll template --template app.tmpl:app.conf --dry`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return t.run(cmd) },
	}
	t.dial = cli.NewDialer(cmd)
	t.layout.add(cmd)
	f := cmd.Flags()
	f.StringArrayVarP(&t.templates, "template", "t", nil, "template and file, IN:OUT; may be given several times")
	f.StringVar(&t.r.Check, "check", "", "shell command that each changed file must pass; {} stands for it")
	f.StringVar(&t.r.Reload, "reload", "", "shell command for when files have changed")
	f.StringVar(&t.mode, "mode", "0644", "mode of new files")
	f.StringVar(&t.wait, "wait", "100ms:1s", "how long nothing must change, and how long to wait for that")
	f.BoolVar(&t.once, "once", false, "make the files and end")
	f.BoolVar(&t.r.Dry, "dry", false, "print the files and end")
	f.StringVar(&t.config.root, "root", configcenter.DefaultRoot, "node that holds the contexts of configuration")
	f.StringVar(&t.config.keyring, "keyring", "", "file of keys for encrypted values")
	return cmd
}

func (t *templating) run(cmd *cobra.Command) error {
	if err := t.parse(); err != nil {
		return err
	}
	keys, err := t.config.keys()
	if err != nil {
		return err
	}
	return t.dial.Patient(!t.once && !t.r.Dry).With(cmd, func(ctx context.Context, c *client.Client) error {
		d, err := t.layout.discovery(c, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		t.r.Output = cmd.OutOrStdout()
		t.r.Log = logline.New(cmd.ErrOrStderr(), slog.LevelInfo)
		t.r.Source = &render.Source{Client: c, Discovery: d, Center: t.config.follower(c, cmd.ErrOrStderr()), Keys: keys, Advise: t.config.sealed}
		t.r.Source.Refused = func(err error) {
			t.r.Log.Error("configuration refused, what was there before stands", "error", err)
		}
		if t.once || t.r.Dry {
			return t.r.Once(ctx)
		}
		return unlessInterrupted(ctx, t.r.Run(ctx))
	})
}

// parse reads what the flags say of templates, mode and waiting.
func (t *templating) parse() error {
	if len(t.templates) == 0 {
		return cli.Misuse(errors.New("template wants --template IN:OUT; Try: quoll template --help"))
	}
	mode, err := strconv.ParseUint(t.mode, 8, 32)
	if err != nil || mode > 0o7777 {
		return cli.Misuse(fmt.Errorf("--mode wants an octal number, not %q", t.mode))
	}
	for _, text := range t.templates {
		in, out, ok := strings.Cut(text, ":")
		if !ok || in == "" || out == "" {
			return cli.Misuse(fmt.Errorf("--template wants IN:OUT, not %q", text))
		}
		if sameFile(in, out) {
			return cli.Misuse(fmt.Errorf("--template %s: the file to make is the template, or a link to it", text))
		}
		t.r.Templates = append(t.r.Templates, render.Template{In: in, Out: out, Mode: fs.FileMode(mode)})
	}
	least, most, both := strings.Cut(t.wait, ":")
	if t.r.Quiet, err = time.ParseDuration(least); err == nil {
		t.r.Longest = 4 * t.r.Quiet
		if both {
			t.r.Longest, err = time.ParseDuration(most)
		}
	}
	if err != nil || t.r.Quiet < 0 || t.r.Longest < t.r.Quiet {
		return cli.Misuse(fmt.Errorf("--wait wants LEAST:MOST, as 100ms:1s, not %q", t.wait))
	}
	return nil
}

// sameFile tells whether two names are those of one file.
func sameFile(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}
