// Package naming tests discovery, configuration and their commands on real servers: Apache ZooKeeper shows that the
// tests are right, quoll that it is no different.
package naming
