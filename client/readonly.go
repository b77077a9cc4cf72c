package client

import (
	"context"
	"errors"
	"io"
	"time"
)

const (
	firstSeek = 100 * time.Millisecond
	lastSeek  = 60 * time.Second
	seekLimit = time.Second // for one server's answer
)

var errWriterFound = errors.New("a server that writes was found")

// seekWriter looks for a server that serves writes while cn is connected to
// one that does not, and ends cn when it has found one.
func (c *Client) seekWriter(cn *conn) {
	timer := time.NewTimer(firstSeek)
	defer timer.Stop()
	pause := firstSeek
	for i := 0; ; i++ {
		select {
		case <-cn.done:
			return
		case <-timer.C:
		}
		server := c.rotation.servers[i%len(c.rotation.servers)]
		if c.writes(server) {
			c.preferred.Store(&server)
			cn.fail(errWriterFound)
			return
		}
		pause = min(2*pause, lastSeek)
		timer.Reset(pause)
	}
}

// writes asks a server whether it serves writes.
func (c *Client) writes(server string) bool {
	ctx, cancel := context.WithTimeout(c.ctx, seekLimit)
	defer cancel()
	nc, err := c.opts.openConn(ctx, server)
	if err != nil {
		return false
	}
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.WriteString(nc, "isro"); err != nil {
		return false
	}
	answer := make([]byte, 2)
	_, err = io.ReadFull(nc, answer)
	return err == nil && string(answer) == "rw"
}
