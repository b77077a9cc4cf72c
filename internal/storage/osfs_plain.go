//go:build !failpoints

package storage

// OS is the operating system's file system.
func OS() FS { return osFS{} }
