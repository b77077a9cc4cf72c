package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/term"
)

const keyInterrupt = 3 // ctrl-C

var errInterrupt = errors.New("interrupted")

// keyboard is a terminal that ends a line with errInterrupt at ctrl-C.
type keyboard struct {
	in  io.Reader
	out io.Writer
}

func (k *keyboard) Read(b []byte) (int, error) {
	n, err := k.in.Read(b)
	if i := bytes.IndexByte(b[:n], keyInterrupt); i >= 0 {
		return i, errInterrupt
	}
	return n, err
}

func (k *keyboard) Write(b []byte) (int, error) { return k.out.Write(b) }

// console edits lines on a terminal. The terminal is raw only while a line is
// edited, so that a command can be interrupted.
type console struct {
	sh      *shell
	file    *os.File
	out     io.Writer // what the shell printed to before
	editor  *term.Terminal
	history term.History
	width   int
}

// readTerminal does commands that somebody types.
func (sh *shell) readTerminal(ctx context.Context, file *os.File) error {
	c := &console{sh: sh, file: file, out: sh.out, history: openHistory(historyFile())}
	c.newEditor()
	for !sh.done && ctx.Err() == nil {
		line, err := c.readLine(ctx)
		switch {
		case errors.Is(err, errInterrupt):
			c.newEditor() // the line given up is in the old one
			continue
		case errors.Is(err, io.EOF):
			sh.say("")
			return nil
		case err != nil && !errors.Is(err, term.ErrPasteIndicator):
			return err
		}
		c.do(ctx, strings.TrimRight(line, " "))
	}
	return nil
}

func (c *console) newEditor() {
	c.editor = term.NewTerminal(&keyboard{c.file, c.out}, "")
	c.editor.History = c.history
	c.editor.AutoCompleteCallback = c.complete
	c.editor.SetBracketedPasteMode(false)
}

// readLine edits one line. Events that come meanwhile appear above it.
func (c *console) readLine(ctx context.Context) (string, error) {
	state, err := term.MakeRaw(int(c.file.Fd()))
	if err != nil {
		return "", err
	}
	if width, height, err := term.GetSize(int(c.file.Fd())); err == nil && width > 0 {
		c.width = width
		_ = c.editor.SetSize(width, height) // its only failure is that of redrawing
	}
	c.sh.drain()
	c.editor.SetPrompt(c.sh.prompt())
	c.direct(c.editor)
	line, err := c.editor.ReadLine()
	c.direct(c.out)
	restored := term.Restore(int(c.file.Fd()), state)
	if errors.Is(err, errInterrupt) {
		_, _ = io.WriteString(c.out, "^C\n")
	}
	return line, errors.Join(err, restored)
}

// direct makes the shell print to w.
func (c *console) direct(w io.Writer) {
	c.sh.mu.Lock()
	defer c.sh.mu.Unlock()
	c.sh.out = w
}

// do does one command, which ctrl-C ends.
func (c *console) do(ctx context.Context, line string) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	c.sh.line(ctx, line)
}

// complete answers the tab key: it completes as far as there is no choice, and
// shows the choice if that adds nothing.
func (c *console) complete(line string, pos int, key rune) (string, int, bool) {
	if key != '\t' {
		return "", 0, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	word, candidates := c.sh.complete(ctx, line[:pos])
	common := commonPrefix(candidates)
	if len(candidates) == 1 && !strings.HasPrefix(word, "/") {
		common += " "
	}
	if len(common) <= len(word) {
		c.show(candidates, line, pos)
		return line, pos, true
	}
	return line[:pos-len(word)] + common + line[pos:], pos - len(word) + len(common), true
}

// show lists candidates below the line and lets the line begin anew. The
// editor holds its lock, so this writes past it.
func (c *console) show(candidates []string, line string, pos int) {
	if len(candidates) == 0 {
		return
	}
	back := ""
	if n := len([]rune(line[pos:])); n > 0 {
		back = strings.Repeat("\b", n)
	}
	_, _ = io.WriteString(c.out, "\r\n"+strings.ReplaceAll(columns(candidates, c.width), "\n", "\r\n")+c.sh.prompt()+line+back)
}

// columns lays words out in columns that fill a width.
func columns(words []string, width int) string {
	cell := 0
	for _, w := range words {
		cell = max(cell, len([]rune(w))+2)
	}
	perLine := max(1, max(width, cell)/cell)
	var b strings.Builder
	for i, w := range words {
		b.WriteString(w)
		if (i+1)%perLine == 0 || i == len(words)-1 {
			b.WriteString("\n")
		} else {
			b.WriteString(strings.Repeat(" ", cell-len([]rune(w))))
		}
	}
	return b.String()
}
