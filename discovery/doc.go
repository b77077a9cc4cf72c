// Package discovery tells programs where the instances of a service are.
//
//	d := discovery.New(c)
//	reg, err := d.Register(ctx, discovery.Instance{Service: "orders", Address: "10.0.0.7", Port: 8080})
//	...
//	defer reg.Close(ctx)
//
//	orders, err := d.Follow(ctx, "orders")
//	...
//	defer orders.Close()
//	for snapshot, err := range orders.Snapshots(ctx) { ... }
//
// # Registering
//
// An instance is an ephemeral node: the session is its heartbeat, and a program
// that dies is gone when its session has expired. From Register until Close it is
// kept there: when the session has expired, or somebody has deleted the node, it
// is registered again. Checks ([HTTPCheck], [TCPCheck], [GRPCCheck], [GRPCTLSCheck],
// [ScriptCheck], [TTLCheck]) withdraw it while the program runs but does not work.
//
// # Following
//
// A [Service] always has a [Snapshot] of the instances at hand. While no server
// can be reached the last one stands and is marked stale. When afterwards most
// of the instances are missing, it is more likely that they, too, could not
// reach the servers than that they are all gone: those that are missing are kept
// for a while, see [WithPanicThreshold].
//
// A node that is no instance is reported in the snapshot, with its path, and
// does not disturb the others.
//
// # With other programs
//
// The [Layout] says how instances lie in the tree: [Curator], the default, is that
// of Apache Curator, Spring Cloud Zookeeper and Dubbo's application registry;
// [Dubbo] that of Dubbo's interface registry; [ServerSet] that of Twitter's
// ServerSets.
//
// # Calling
//
// [Transport] is an http.RoundTripper that calls instances by the name of their
// service. Package dnsserver, below this one, answers DNS queries; the module
// grpcresolver is a resolver for gRPC.
package discovery
