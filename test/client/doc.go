// Package client tests the Go client against real servers: Apache ZooKeeper shows that the tests are right, quoll that
// it is no different.
package client
