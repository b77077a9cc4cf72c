//go:build !linux

package bench

import (
	"errors"
	"time"
)

func procCPU(int) (time.Duration, error) { return 0, errors.ErrUnsupported }

func procMemory(int) (Memory, error) { return Memory{}, errors.ErrUnsupported }

func findListener(int) (int, error) { return 0, errors.ErrUnsupported }
