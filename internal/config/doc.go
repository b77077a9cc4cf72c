// Package config turns everything that can configure a server into one typed
// [Config]: zoo.cfg as Apache ZooKeeper reads it, -D properties of
// SERVER_JVMFLAGS and JVMFLAGS, QUOLL_ environment variables and command line
// flags, in this order of growing weight.
//
// One table ([Keys]) knows every key of Apache ZooKeeper 3.9 and of its newest
// source: its type, range and default, and whether this server applies it or
// why it does not. The table is the only place where a key is described: the
// loader, its error messages, --help-config and docs/configuration.md all come
// from it.
//
// Nothing is guessed: an unknown key that looks like a misspelt one is an
// error that names the place and the likely key, and all errors are reported
// together. Messages always carry the source (file:line, variable or flag),
// the key, what was found and what would be right.
package config
