// Package socket opens and accepts the connections between members: plain, TLS, or either on one port, so that an
// ensemble can move from plain to TLS one member at a time as with Apache's port unification:
//
//  1. every member takes both and dials plainly ([Options.TLS] and [Options.AcceptPlain]),
//  2. every member dials by TLS ([Options.DialTLS]),
//  3. nobody takes plain connections any more.
package socket
