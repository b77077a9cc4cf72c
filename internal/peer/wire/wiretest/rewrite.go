// Package wiretest checks streams of real servers against the codecs of package wire.
package wiretest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/quollhq/quoll/internal/peer/wire"
)

const limit = 4 << 20

// Quorum reads one direction of a connection between a leader and a learner, packet by packet, by the decoder for its
// type, and writes it again by the function for its type. It returns what it has written, up to the last whole packet,
// and the types it has seen. Written and read bytes must be the same.
func Quorum(stream []byte) (written []byte, types []wire.Type, err error) {
	r := wire.NewReader(bytes.NewReader(stream), limit)
	var p wire.Packet
	for {
		err := r.Next(&p)
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			return written, types, nil
		}
		if err != nil {
			return written, types, err
		}
		types = append(types, p.Type)
		if written, err = rewrite(written, &p); err != nil {
			return written, types, err
		}
		if p.Type != wire.Snap {
			continue
		}
		snapshot, err := io.ReadAll(r.Snapshot())
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return written, types, nil
		}
		if err != nil {
			return written, types, err
		}
		written = wire.AppendSignature(append(written, snapshot...))
	}
}

// oldLearnerInfo is the length of what learners before 3.5 say of themselves; it is read, not written.
const oldLearnerInfo = 12

func rewrite(b []byte, p *wire.Packet) ([]byte, error) {
	switch p.Type {
	case wire.FollowerInfo, wire.ObserverInfo:
		info, err := wire.DecodeLearnerInfo(p)
		if len(p.Data) == oldLearnerInfo {
			return wire.AppendPacket(b, p), err
		}
		return wire.AppendLearnerInfo(b, info), err
	case wire.LeaderInfo:
		epoch, _, err := wire.DecodeLeaderInfo(p)
		return wire.AppendLeaderInfo(b, epoch), err
	case wire.AckEpoch:
		ack, err := wire.DecodeEpochAck(p)
		return wire.AppendEpochAck(b, ack), err
	case wire.NewLeader:
		epoch, config, err := wire.DecodeNewLeader(p)
		return wire.AppendNewLeader(b, epoch, config), err
	case wire.Diff:
		return wire.AppendDiff(b, p.Zxid), nil
	case wire.Trunc:
		return wire.AppendTrunc(b, p.Zxid), nil
	case wire.Snap:
		return wire.AppendSnap(b, p.Zxid), nil
	case wire.UpToDate:
		return wire.AppendUpToDate(b), nil
	case wire.Sync:
		return wire.AppendSync(b), nil
	case wire.Proposal:
		return wire.AppendProposal(b, p.Zxid, p.Data), nil
	case wire.Inform:
		return wire.AppendInform(b, p.Zxid, p.Data), nil
	case wire.Ack:
		return wire.AppendAck(b, p.Zxid), nil
	case wire.Commit:
		return wire.AppendCommit(b, p.Zxid), nil
	case wire.CommitAndActivate:
		designated, _, err := wire.DecodeActivate(p)
		return wire.AppendCommitAndActivate(b, p.Zxid, designated), err
	case wire.InformAndActivate:
		designated, txn, err := wire.DecodeActivate(p)
		return wire.AppendInformAndActivate(b, p.Zxid, designated, txn), err
	case wire.Ping:
		if p.Data == nil {
			return wire.AppendPing(b, p.Zxid), nil
		}
		touches, err := wire.DecodePong(p)
		if err != nil {
			return b, err
		}
		return wire.AppendPong(b, p.Zxid, slices.Collect(touches)), nil
	case wire.Revalidate:
		return rewriteRevalidate(b, p)
	case wire.Request:
		request, err := wire.DecodeRequest(p)
		return wire.AppendRequest(b, &request), err
	}
	return b, fmt.Errorf("a packet of type %v", p.Type)
}

// rewriteRevalidate tells question and answer by their length, as a connection has only one of them in each direction.
func rewriteRevalidate(b []byte, p *wire.Packet) ([]byte, error) {
	if len(p.Data) == 8+1 {
		session, valid, err := wire.DecodeRevalidated(p)
		return wire.AppendRevalidated(b, session, valid), err
	}
	touch, err := wire.DecodeRevalidate(p)
	return wire.AppendRevalidate(b, touch.Session, touch.Timeout), err
}

// Election does for one direction of an election connection what Quorum does for the other protocol. hello tells
// whether it begins with a Hello: whether it comes from the one who dialled.
func Election(stream []byte, hello bool) (written []byte, notifications []wire.Notification, err error) {
	r := bytes.NewReader(stream)
	if hello {
		h, err := wire.ReadHello(r)
		if err != nil {
			return nil, nil, err
		}
		written = wire.AppendHello(written, h)
	}
	for {
		msg, err := wire.ReadElectionFrame(r, nil)
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			return written, notifications, nil
		}
		if err != nil {
			return written, notifications, err
		}
		n, err := wire.DecodeNotification(msg)
		if err != nil {
			return written, notifications, err
		}
		notifications = append(notifications, n)
		written = wire.AppendElectionFrame(written, wire.AppendNotification(nil, &n))
	}
}
