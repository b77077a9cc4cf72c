//go:build !linux

package admin

import "errors"

func openFiles() int64 { return -1 }

func maxFiles() int64 { return -1 }

func freeBytes(string) (uint64, error) { return 0, errors.ErrUnsupported }
