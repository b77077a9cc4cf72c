// Command go is github.com/go-zookeeper/zk as a judge: every operation it has, then a crash of the server. It talks to
// the test harness by its standard streams, see the package harness.
package main

import "os"

func main() {
	c := newChecks()
	c.nodes()
	c.multis()
	c.watches()
	c.identities()
	c.sessions()
	c.survival()
	os.Exit(c.finish())
}
