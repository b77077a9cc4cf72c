package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"

	"github.com/quollhq/quoll/internal/jute"
)

// State is what a member does, as it says in its notifications.
type State int32

// The states of a member.
const (
	Looking   State = 0
	Following State = 1
	Leading   State = 2
	Observing State = 3
)

// Known tells whether s is a state of the protocol. A notification with another state is no error: it does not count as a
// vote, but a member without a vote that sends it is answered.
func (s State) Known() bool { return s >= Looking && s <= Observing }

// String is the name that Apache's logs have for the state.
func (s State) String() string {
	switch s {
	case Looking:
		return "LOOKING"
	case Following:
		return "FOLLOWING"
	case Leading:
		return "LEADING"
	case Observing:
		return "OBSERVING"
	}
	return "UNKNOWN(" + strconv.Itoa(int(s)) + ")"
}

// Formats of notifications, as Notification.Version has them.
const (
	// NotificationPlain is the format up to 3.4. Its version field, 1 since 3.4.6, is not looked at.
	NotificationPlain int32 = 0
	// NotificationConfig is the format since 3.5, with the sender's configuration.
	NotificationConfig int32 = 2
)

// Lengths of notifications in bytes.
const (
	notificationOldest = 4 + 3*8                    // before 3.4: without epoch
	notificationPlain  = notificationOldest + 8 + 4 // 3.4
	notificationHead   = notificationPlain + 4
)

// MaxElectionFrame bounds a frame of the election protocol in bytes.
const MaxElectionFrame = 512 << 10

// Notification is a member's vote.
type Notification struct {
	// State is the sender's; the vote of one that is not looking is the leader it has.
	State State
	// Leader, Zxid and PeerEpoch are the vote: who shall lead, the end and the epoch of its log.
	Leader    int64
	Zxid      int64
	PeerEpoch int64
	// Round is the sender's logical clock: the number of the election.
	Round int64
	// Version is the format.
	Version int32
	// Config is the text of the configuration that the sender has seen last; empty below NotificationConfig.
	Config []byte
}

// AppendNotification appends n without a frame, in the format of n.Version.
func AppendNotification(b []byte, n *Notification) []byte {
	b = jute.AppendInt(b, int32(n.State))
	b = jute.AppendLong(b, n.Leader)
	b = jute.AppendLong(b, n.Zxid)
	b = jute.AppendLong(b, n.Round)
	b = jute.AppendLong(b, n.PeerEpoch)
	if n.Version < NotificationConfig {
		return jute.AppendInt(b, 1)
	}
	b = jute.AppendInt(b, n.Version)
	b = jute.AppendInt(b, int32(len(n.Config)))
	return append(b, n.Config...)
}

// DecodeNotification reads a notification of any format. Config aliases b. What is shorter than its format is an error,
// what is longer is not, as with Apache's servers.
func DecodeNotification(b []byte) (Notification, error) {
	d := jute.NewDecoder(b)
	n := Notification{State: State(d.Int()), Leader: d.Long(), Zxid: d.Long(), Round: d.Long()}
	if len(b) == notificationOldest {
		n.PeerEpoch = n.Zxid >> 32
		return n, nil
	}
	n.PeerEpoch = d.Long()
	if version := d.Int(); len(b) != notificationPlain {
		n.Version = version
	}
	if n.Version >= NotificationConfig {
		n.Config = config(&d)
	}
	if err := d.Err(); err != nil {
		return n, fmt.Errorf("notification of %d bytes: %w", len(b), err)
	}
	return n, nil
}

func config(d *jute.Decoder) []byte {
	b := d.Buffer()
	if b == nil {
		d.Fail(fmt.Errorf("%w: no configuration", jute.ErrMalformed))
	}
	return b
}

// AppendElectionFrame appends msg with its length.
func AppendElectionFrame(b, msg []byte) []byte {
	b = jute.AppendInt(b, int32(len(msg)))
	return append(b, msg...)
}

// frameStep is how much memory is taken for a frame before its bytes are there.
const frameStep = 4 << 10

// ReadElectionFrame reads one frame and returns its content, in buf's memory if that is large enough.
// io.EOF means that the stream ended between two frames.
func ReadElectionFrame(r io.Reader, buf []byte) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int32(binary.BigEndian.Uint32(head[:]))
	if n <= 0 || n > MaxElectionFrame {
		return nil, fmt.Errorf("election: %w: frame of %d bytes, want 1 to %d", jute.ErrMalformed, n, MaxElectionFrame)
	}
	return readGrowing(r, buf[:0], int(n))
}

// readGrowing reads n bytes behind b, which grows with what arrives.
func readGrowing(r io.Reader, b []byte, n int) ([]byte, error) {
	for n > 0 {
		step := min(n, max(frameStep, cap(b)-len(b), len(b)))
		at := len(b)
		b = append(b, make([]byte, step)...)
		if _, err := io.ReadFull(r, b[at:]); err != nil {
			return nil, noEOF(err)
		}
		n -= step
	}
	return b, nil
}
