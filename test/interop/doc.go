// Package interop checks that quoll's coordination functions share their nodes with those of Apache Curator and kazoo, on
// quoll and on Apache ZooKeeper: locks exclude each other, elections have one leader, queues hand over, counters count all,
// barriers open, groups see each other, whoever comes first.
//
//	go test -count 1 ./test/interop -v
//
// Programs in java/ and kazoo/ run the other libraries' recipes as they are told, a player here runs quoll's.
package interop
