//go:build !linux

package bench

import (
	"errors"
	"net"
)

func drivePolled(*lane) error { return errors.ErrUnsupported }

func detach(net.Conn) (int, error) { return -1, errors.ErrUnsupported }

func attach(int) (net.Conn, error) { return nil, errors.ErrUnsupported }

func closeFD(int) {}
