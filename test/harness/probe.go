package harness

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"
)

// Serves asks for a session that does not exist and returns nil if the server says so: it is up, and nothing in it has
// changed, no transaction number and no session number was taken.
func Serves(ctx context.Context, addr string) error {
	return ServesBy(ctx, addr, (&net.Dialer{}).DialContext)
}

// ServesBy is Serves over connections of another kind.
func ServesBy(ctx context.Context, addr string, dialContext DialContext) error {
	conn, err := dial(ctx, addr, dialContext)
	if err != nil {
		return err
	}
	defer conn.Close()
	request := binary.BigEndian.AppendUint32(nil, 45)      // the frame's length
	request = binary.BigEndian.AppendUint32(request, 0)    // protocol version
	request = binary.BigEndian.AppendUint64(request, 0)    // last zxid seen
	request = binary.BigEndian.AppendUint32(request, 1000) // timeout, ms
	request = binary.BigEndian.AppendUint64(request, 1)    // session
	request = binary.BigEndian.AppendUint32(request, 16)   // password
	request = append(request, make([]byte, 17)...)         // ... and no read-only server, please
	if _, err := conn.Write(request); err != nil {
		return err
	}
	var reply struct{ Length, Version, Timeout int32 }
	if err := binary.Read(conn, binary.BigEndian, &reply); err != nil {
		return err
	}
	if reply.Timeout != 0 {
		return fmt.Errorf("%s gave a timeout of %d ms to a session that does not exist", addr, reply.Timeout)
	}
	return nil
}

// FourLetterWord sends one of ZooKeeper's four-letter words and returns the whole answer.
func FourLetterWord(ctx context.Context, addr, word string) (string, error) {
	conn, err := dial(ctx, addr, (&net.Dialer{}).DialContext)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, word); err != nil {
		return "", err
	}
	b, err := io.ReadAll(conn)
	return string(b), err
}

// DialContext connects, as the methods of that name do.
type DialContext func(ctx context.Context, network, addr string) (net.Conn, error)

// dial connects for one question and its answer.
func dial(ctx context.Context, addr string, dialContext DialContext) (net.Conn, error) {
	conn, err := dialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(5 * time.Second))
}
