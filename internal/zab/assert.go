package zab

import "fmt"

// assert ends the process if something that cannot be is: going on would
// spread what is wrong to disks and to other servers.
func assert(ok bool, format string, args ...any) {
	if !ok {
		bug(format, args...)
	}
}

// bug is what assert does. Where transactions pass, it stands in an if of its own,
// so that nothing is made ready for a message that is not needed.
func bug(format string, args ...any) {
	panic("zab: " + fmt.Sprintf(format, args...))
}
