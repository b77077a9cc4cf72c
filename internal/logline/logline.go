// Package logline keeps each record of a text log on one line that is pleasant to read.
package logline

import (
	"io"
	"log/slog"
	"strings"
)

// New is a log of such records, of a level and above it.
func New(out io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level, ReplaceAttr: Attr}))
}

// Attr is for [slog.HandlerOptions.ReplaceAttr]: texts and errors of several lines, as those that were joined, become one
// line, with a semicolon where one ended.
func Attr(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case string:
		return oneLine(a, v)
	case error:
		return oneLine(a, v.Error())
	}
	return a
}

func oneLine(a slog.Attr, text string) slog.Attr {
	if !strings.Contains(text, "\n") {
		return a
	}
	return slog.String(a.Key, strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "; "))
}
