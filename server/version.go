package server

import "runtime/debug"

// ZooKeeperVersion is the version of Apache ZooKeeper whose behaviour quoll
// has.
const ZooKeeperVersion = "3.9.4"

// Version is the version of the module this program was built from, "devel"
// for a build from a checkout.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
