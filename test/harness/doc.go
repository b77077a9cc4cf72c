// Package harness starts the servers that black-box tests talk to: quoll's, built from this checkout, and Apache
// ZooKeeper's, from the cache that scripts/install-peers.sh fills.
//
// A test body is written once, against a [Server], and runs on every [Subject]; that Apache's server passes too is what
// shows that the test is right:
//
//	func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		harness.Each(t, func(t *testing.T, subject harness.Subject) {
//			server := harness.Start(t, subject, harness.Config{})
//			... talk to server.Addr()
//			server.Kill()
//			server.Restart()
//		})
//	}
//
// Environment:
//
//	QUOLL_SUBJECTS  which servers, by comma: "quoll,apache" (the default) or one of them
//	QUOLL_RACE      1 builds quoll with the race detector
//	QUOLL_BINARY    a quoll that is built already
//	QUOLL_CACHE     where the peers are, if not in .cache of the checkout
//
// Every process is killed at the end of its test. A failed test prints the tail of its servers' logs.
package harness
