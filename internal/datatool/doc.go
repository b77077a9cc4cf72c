// Package datatool is `quoll data`: looking at, verifying, converting and
// mending the logs and snapshots of ZooKeeper servers, quoll's and Apache's.
// It works on files alone and needs no server.
package datatool
