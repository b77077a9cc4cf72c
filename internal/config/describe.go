package config

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Describe writes a table of the keys for people at a terminal.
func Describe(w io.Writer, keys []Key) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	section := ""
	for _, k := range keys {
		if k.Group != section {
			section = k.Group
			fmt.Fprintf(tw, "\n%s\n", section)
		}
		if k.NotApplicable != "" {
			fmt.Fprintf(tw, "  %s\t\t\t%s\n", k.Name, k.NotApplicable)
			continue
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\t%s\n", k.Name, k.Kind, k.shownDefault(), k.Help)
	}
	return tw.Flush()
}

func (k Key) shownDefault() string {
	if k.Default == "" {
		return "-"
	}
	return k.Default
}

const markdownIntro = `# Configuration of the server

This page is made from the table of keys in internal/config; a test fails when it is out of date.

Settings come from these sources, each stronger than those before it:

1. defaults;
2. the file named on the command line, in the syntax of Apache ZooKeeper's zoo.cfg;
3. -D properties in SERVER_JVMFLAGS, then in JVMFLAGS;
4. environment variables: QUOLL_ and the words of the key in capitals, as QUOLL_CLIENT_PORT for clientPort and QUOLL_SERVER_1 for server.1;
5. command line flags: the words of the key in small letters, as --client-port, or --set NAME=VALUE, which takes
   any key, as --set server.1=zk1:2888:3888.

In Apache ZooKeeper the file is stronger than -D. A key may be written in the file with "zookeeper." before it. Without any file
the server keeps its data in ./quoll-data and serves clients on port 2181.

Apache takes many values that it cannot read for the default without a word; here they are errors. Numbers may be hexadecimal (0x10) as in
Apache's properties. A variable without a value counts as not set, and so does a key without one where Apache reads a property.

An unknown key that is nearly a known one is an error; any other unknown key is a warning. ` + "`quoll server --check`" + ` reads
everything, prints all errors and warnings with their places, looks at the directories, says what the server would be, and does not start.

A key whose name ends in .N or .X stands for many: N is a number, X a word. "File" tells keys that Apache reads only from its file, "-D" those
whose property has no "zookeeper." before it, and which Apache does not read from its file.
`

// Markdown writes docs/configuration.md.
func Markdown(w io.Writer) error {
	b := bufio.NewWriter(w)
	b.WriteString(markdownIntro)
	section := ""
	for _, k := range Keys() {
		if k.Group != section {
			section = k.Group
			markdownHead(b, section, k.NotApplicable != "")
		}
		if k.NotApplicable != "" {
			fmt.Fprintf(b, "| `%s` | %s |\n", k.Name, cell(k.NotApplicable))
			continue
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", k.Name, k.Kind, code(k.Default), k.place(), cell(k.Help+valueHint(k)+notFollowedHint(k)))
	}
	return b.Flush()
}

func markdownHead(b *bufio.Writer, section string, unused bool) {
	fmt.Fprintf(b, "\n## %s\n\n", section)
	if unused {
		b.WriteString("These keys are known and have no effect; a server that finds some says so in one warning.\n\n| Key | Why |\n|---|---|\n")
		return
	}
	b.WriteString("| Key | Type | Default | Apache reads it from | Meaning |\n|---|---|---|---|---|\n")
}

func (k Key) place() string {
	switch {
	case k.Own:
		return "not in Apache"
	case k.FromFile:
		return "file"
	case k.Raw:
		return "-D"
	}
	return "file, -Dzookeeper."
}

// valueHint adds what a value must be where the type does not tell.
func valueHint(k Key) string {
	switch k.Kind {
	case KindChoice, KindFloat:
		return " Value: " + k.Want + "."
	case KindBool:
		if k.Default == "yes" || k.Default == "no" {
			return " Value: yes or no."
		}
	case KindInt, KindSize:
		if strings.Contains(k.Want, "from") || strings.Contains(k.Want, "at least") {
			return ""
		}
	}
	if k.prefix() != "" {
		return " Value: " + k.Want + "."
	}
	return ""
}

// notFollowedHint tells of keys that are read and have no effect.
func notFollowedHint(k Key) string {
	if why := notFollowed(k.Name); why != "" {
		return " Not followed, and a warning says so: " + why + "."
	}
	return ""
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + cell(s) + "`"
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
