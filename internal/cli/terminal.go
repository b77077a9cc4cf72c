package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
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
	fd      int
	out     io.Writer // what the shell printed to before
	editor  *term.Terminal
	history term.History
	width   int
	shown   sync.WaitGroup // writes what may come next above the line
}

// readTerminal does commands that somebody types. What interrupts one command
// does not end the others; SIGTERM and SIGHUP do.
func (sh *shell) readTerminal(ctx context.Context, stdin *os.File) error {
	ctx, stop := signal.NotifyContext(context.WithoutCancel(ctx), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	file, done := openTerminal(stdin)
	defer done()
	defer context.AfterFunc(ctx, func() { _ = file.SetReadDeadline(time.Now()) })()
	c := &console{sh: sh, file: file, out: sh.out, width: 80, history: openHistory(historyFile())}
	if err := c.findDescriptor(); err != nil {
		return err
	}
	c.newEditor()
	for !sh.done && ctx.Err() == nil {
		line, err := c.readLine()
		switch {
		case ctx.Err() != nil:
			return nil
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

// openTerminal opens the terminal anew if it can: reading from such a file can
// be ended from outside, reading from standard input cannot.
func openTerminal(stdin *os.File) (file *os.File, done func()) {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return stdin, func() {}
	}
	return f, func() { _ = f.Close() }
}

// findDescriptor avoids File.Fd, which would let reads block for good.
func (c *console) findDescriptor() error {
	raw, err := c.file.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { c.fd = int(fd) })
}

func (c *console) newEditor() {
	c.editor = term.NewTerminal(&keyboard{c.file, c.out}, "")
	c.editor.History = c.history
	c.editor.AutoCompleteCallback = c.complete
	c.editor.SetBracketedPasteMode(false)
}

// readLine edits one line. Events that come meanwhile appear above it.
func (c *console) readLine() (string, error) {
	state, err := term.MakeRaw(c.fd)
	if err != nil {
		return "", err
	}
	if width, height, err := term.GetSize(c.fd); err == nil && width > 0 {
		c.width = width
		_ = c.editor.SetSize(width, height) // its only failure is that of redrawing
	}
	c.sh.drain()
	c.editor.SetPrompt(c.sh.prompt())
	c.direct(c.editor)
	line, err := c.editor.ReadLine()
	c.shown.Wait()
	c.direct(c.out)
	restored := term.Restore(c.fd, state)
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
	command, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	c.sh.line(command, line)
	if command.Err() != nil && ctx.Err() == nil {
		c.sh.say("") // after the ^C that the terminal has shown
	}
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
		c.show(candidates)
		return line, pos, true
	}
	return line[:pos-len(word)] + common + line[pos:], pos - len(word) + len(common), true
}

// show lists candidates above the line. The editor, which calls this, holds its
// lock until it waits for the next key.
func (c *console) show(candidates []string) {
	if len(candidates) == 0 {
		return
	}
	text := columns(candidates, c.width)
	editor := c.editor
	c.shown.Go(func() { _, _ = io.WriteString(editor, text) })
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
