// Package peerwire tests the codecs of the peer protocols against Apache's servers: the test takes a seat in an ensemble,
// as a voter, an observer or the leader, and every byte that the servers send must be read and written again as it was.
//
// QUOLL_UPDATE=1 records what they send into internal/peer/wire/testdata.
package peerwire
