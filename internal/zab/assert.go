package zab

import "fmt"

// assert ends the process if something that cannot be is: going on would
// spread what is wrong to disks and to other servers.
func assert(ok bool, format string, args ...any) {
	if !ok {
		panic("zab: " + fmt.Sprintf(format, args...))
	}
}
