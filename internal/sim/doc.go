// Package sim is a world that fails on purpose, and in the same way again for
// the same seed.
//
// Disk is a file system in memory that knows what was synced. At a crash it
// keeps all of that and a random part of the rest: sectors of 512 bytes in any
// order and lengths between the old and the new one, as real disks and file
// systems may; and of the changes to a directory the first few, as journals do.
package sim
