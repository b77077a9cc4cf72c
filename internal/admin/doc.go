// Package admin shows a running server to operators and their tools:
//
//   - four-letter words on the client port, with the output of Apache
//     ZooKeeper 3.9.4;
//   - the admin HTTP server: Apache's commands as JSON, a status page, /livez,
//     /readyz, /metrics for Prometheus, and /debug/pprof for the machine itself.
//
// The HTTP server starts before the data is loaded and outlives the service to
// clients, so that probes and operators see both. What needs the running server
// goes by the Node that SetNode gives and takes away.
//
// Everything is read when somebody asks; nothing here runs or allocates
// between questions.
package admin
