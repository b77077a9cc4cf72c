//go:build !linux

package supervise

import (
	"os"
	"syscall"
)

// executable is this program.
func executable() (string, error) { return os.Executable() }

func adopt() {}

func dyingWithUs() *syscall.SysProcAttr { return nil }

// descendants are known on Linux only: elsewhere the command alone is ended.
func descendants() (all []int, known bool) { return nil, false }
