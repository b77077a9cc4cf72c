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

const procDir = ""

// descendants are known on Linux only: elsewhere the command alone is ended.
func descendants(string) (all []process, known bool) { return nil, false }
