// Package cli is the command line client, `quoll cli`: every command and flag
// of Apache's zkCli.sh, with the same words and the same output where scripts
// depend on it, and some commands more.
//
// A [command] has a name, options and a function. The [shell] holds what lasts
// from one command line to the next: the connection, the history. It is driven
// by the arguments of the process (one command), by a terminal with an editor
// of lines, or by lines from a pipe.
//
// Commands print what they have found through the shell's [printer], once as
// text and once as JSON. Events of watches are printed by a goroutine of the
// connection, but never in the middle of a command's output: the printer has
// one lock, and a command prints the events that came before its reply first.
package cli
