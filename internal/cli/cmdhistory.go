package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
)

func historyCommands() []*command {
	return []*command{
		{
			name: "history", usage: "", offline: true, raw: true,
			summary:  "Print the last commands",
			examples: []string{"history"},
			run:      runHistory,
		},
		{
			name: "redo", usage: "cmdno", offline: true, raw: true,
			summary:  "Do a command of the history again",
			examples: []string{"redo 3"},
			run:      runRedo,
		},
		{
			name: "printwatches", usage: "on|off", offline: true, raw: true,
			summary:  "Print events, or do not",
			examples: []string{"printwatches off"},
			run:      runPrintWatches,
		},
		{
			name: "help", usage: "[command]", offline: true,
			summary:  "Explain the commands, or one",
			examples: []string{"help", "help create"},
			run:      runHelp,
		},
	}
}

func runHistory(_ context.Context, sh *shell, _ *parsed) error {
	type entry struct {
		Number  int    `json:"number"`
		Command string `json:"command"`
	}
	var last []entry
	for i := max(0, sh.count-10); i <= sh.count && i < len(sh.history); i++ {
		last = append(last, entry{i, sh.history[i]})
	}
	sh.emit(map[string]any{"history": last}, func(w io.Writer) {
		for _, e := range last {
			fmt.Fprintf(w, "%d - %s\n", e.Number, e.Command)
		}
	})
	return nil
}

func runRedo(ctx context.Context, sh *shell, p *parsed) error {
	if len(p.args) == 0 {
		return nil
	}
	i, err := strconv.ParseInt(p.args[0], 0, 32)
	if err != nil || i < 0 || int(i) >= sh.count {
		return failf("Command index out of range")
	}
	line := sh.history[i]
	words := splitWords(line)
	if len(words) > 0 && words[0] == "redo" {
		return failf("No redoing redos")
	}
	sh.history[sh.count] = line
	return sh.command(ctx, words)
}

func runPrintWatches(_ context.Context, sh *shell, p *parsed) error {
	if len(p.args) == 0 {
		state := "off"
		if sh.watches {
			state = "on"
		}
		sh.emitLine(map[string]bool{"printwatches": sh.watches}, "printwatches is %s", state)
		return nil
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.watches = p.args[0] == "on"
	return nil
}

func runHelp(_ context.Context, sh *shell, p *parsed) error {
	if len(p.args) == 0 {
		sh.say("%s\nhelp <command> explains one.", strings.TrimRight(helpIndex(sh.commands), "\n"))
		return nil
	}
	c := sh.find(p.args[0])
	if c == nil {
		return &failure{message: "Command not found: " + p.args[0], code: exitNotFound}
	}
	sh.say("%s", strings.TrimRight(c.help(), "\n"))
	return nil
}

// helpIndex lists commands with what they do.
func helpIndex(commands []*command) string {
	var b strings.Builder
	for _, c := range commands {
		fmt.Fprintf(&b, "  %-22s %s\n", c.name, c.summary)
	}
	return b.String()
}

// help explains a command.
func (c *command) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n  %s\n", c.summary, c.synopsis())
	if len(c.options) > 0 {
		fmt.Fprintf(&b, "\n%s", describe(c.options))
	}
	if c.details != "" {
		fmt.Fprintf(&b, "\n%s\n", c.details)
	}
	if len(c.examples) > 0 {
		fmt.Fprintf(&b, "\nFor example:\n  %s\n", strings.Join(c.examples, "\n  "))
	}
	return b.String()
}
