package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxLine bounds a line of input: more than any server takes as data.
const maxLine = 64 << 20

// greetTime is how long the first prompt waits for the connection.
const greetTime = time.Second

// greet gives the connection a moment, so that the first prompt tells of it.
func (sh *shell) greet(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, greetTime)
	defer cancel()
	_ = sh.client().WaitConnected(ctx) // the prompt says if it did not come about
	sh.drain()
}

// readLines does commands from a pipe or file. Like Apache's CLI it shows the
// prompt and the line before each command's output.
func (sh *shell) readLines(ctx context.Context, in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for !sh.done && ctx.Err() == nil {
		sh.showPrompt()
		if !lines.Scan() {
			return lines.Err()
		}
		line := strings.TrimSuffix(lines.Text(), "\r")
		sh.say("%s", line)
		sh.line(ctx, line)
	}
	return nil
}

func (sh *shell) showPrompt() {
	if sh.json {
		return
	}
	sh.drain()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	fmt.Fprint(sh.out, sh.prompt())
}
