// Package chaos runs ensembles of real processes, each in a network namespace and on a disk of its own, while they are
// killed, stopped, cut off from each other in both directions or in one, and their disks fill up. What clients saw meanwhile
// must be linearizable, which porcupine decides, and plain reads must be in each session's order.
package chaos
