// Package configcenter keeps configuration in the tree and lets programs follow
// it as it changes.
//
//	center := configcenter.New(c)
//	rev, err := center.Publish(ctx, "orders", configcenter.Change{
//		Set: map[string]string{"pool.size": "8", "pool.timeout": "2s"}, Author: "ann", Reason: "more load",
//	})
//
//	live, err := configcenter.Open(ctx, center, configcenter.App{Name: "orders", Profiles: []string{"prod"}},
//		configcenter.Options[Config]{File: "/var/lib/orders/config.json"})
//	...
//	defer live.Close()
//	cfg := live.Current() // a *Config: complete, and valid
//	for cfg, err := range live.Changes(ctx) { ... }
//
// # Properties
//
// A context is a set of properties: that of all applications ("application"), of
// one ("orders"), or of either in a profile ("orders,prod"). A program sees its
// contexts in layers, see [App.Contexts]. This is the layout of Spring Cloud
// Zookeeper: a Spring Boot application reads what is published here, and what was
// written otherwise, by hand or by zkCli.sh, is read here.
//
//	/config/orders,prod/pool.size    one property; below the context, / counts as .
//
// # Revisions
//
// All that [Center.Publish] changes, in one context, changes at once: readers
// see all of it or nothing. Each publication is a [Revision] with author, reason,
// time and the properties as they were after it. [Center.Rollback] publishes an
// earlier one anew; [Center.Drift] tells what was changed behind the center's back.
// Revisions are kept beside the properties, where Spring does not look:
//
//	/config.quoll/orders,prod/head                     the number of the last revision
//	/config.quoll/orders,prod/revisions/0000000007     a revision: the audit trail
//	/config.quoll/orders,prod/canaries/NAME            changes for some instances only
//	/config.quoll/orders/subscribers/INSTANCE          who runs which revision; ephemeral
//
// # Canaries
//
// A canary is a change that only some instances see, by their names, labels or a
// percentage, until it is promoted, which publishes it, or aborted. Programs on
// Spring see only what is published.
//
// # Following
//
// A [Live] value changes only if what was published makes a valid one: otherwise
// the last good one stands. [Live.Updates] tells that it was refused, and why; so do
// [Live.Err] and the list of subscribers. While no server is reached it stands, too;
// with a file, even through a start of the program.
//
// # Encryption
//
// Values that a [Keyring] has encrypted (AES-256-GCM, bound to the property's name)
// are decrypted where they are used, and nowhere else. A Spring application gets
// them as they are.
package configcenter
