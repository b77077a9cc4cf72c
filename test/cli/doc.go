// Package cli tests `quoll cli` as a process: side by side with Apache's CLI, on pipes and on a terminal.
package cli
