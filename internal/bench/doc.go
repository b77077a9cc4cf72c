// Package bench measures servers that speak ZooKeeper's client protocol: how
// many operations per second, how long each took, when nothing was completed,
// and what an operation costs the server in CPU time and memory.
//
// The load runs on the same machine as the server more often than not, so it
// is made to cost little: 0.2 to 0.3 us of CPU per pipelined operation.
//
//   - A template is a request that is encoded once; copies of it get their xid
//     and the digits of their keys.
//   - A session is one connection as a state machine: what was asked and not
//     answered, and the reply that is arriving. It does no I/O.
//   - A lane is a share of the sessions with a recorder of its own. It decides
//     what to send, checks every reply (order, error code, length) and records
//     whole runs of replies at once, with one look at the clock per read.
//   - A driver moves a lane's bytes: drivePolled with epoll on one locked
//     thread, driveConns with a goroutine per session for TLS and for systems
//     without epoll.
//   - A fleet is the sessions of a run; it deals them out to lanes and merges
//     what the lanes recorded.
//
// Goroutines of a run: one per lane (or, with driveConns, one per session and
// one per lane that keeps the time), one meter that reads /proc when the
// measured part begins and ends, one for the progress line. Run waits for all.
//
// A closed loop sends as many requests as were answered. An open loop sends
// each when it is due, and counts latency from then: a server that stalls
// delays all that was due meanwhile, and that is seen. Time is nanoseconds
// since the start of a run, from the monotonic clock.
package bench
