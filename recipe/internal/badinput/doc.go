// Package badinput checks, for all coordination functions alike, what they make of
// what is wrong: names that no node can have, payloads that no packet holds, nodes of
// another form in their paths, and sessions that end in the middle of a call. It has
// tests alone.
package badinput
