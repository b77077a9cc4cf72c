package socket

import (
	"bufio"
	"context"
	"net"
)

// Authenticator lets the two ends of a connection prove who they are, before a leader and its learner say anything, and
// after Hello on election connections. It reads from r alone, since that may hold what has arrived, and keeps within the
// connection's deadline.
type Authenticator interface {
	// Dialled proves to the member at host who we are.
	Dialled(ctx context.Context, conn net.Conn, r *bufio.Reader, host string) error
	// Accepted lets the other end prove that it is a member.
	Accepted(ctx context.Context, conn net.Conn, r *bufio.Reader) error
}
