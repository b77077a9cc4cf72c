package zk

import (
	"fmt"

	"github.com/quollhq/quoll/client"
)

// The flags of Create.
const (
	FlagPersistent                  = 0
	FlagEphemeral                   = 1
	FlagSequence                    = 2
	FlagEphemeralSequential         = 3
	FlagContainer                   = 4
	FlagTTL                         = 5
	FlagPersistentSequentialWithTTL = 6
)

// createMode is what flags say.
type createMode struct {
	flag         int32
	isEphemeral  bool
	isSequential bool
	isContainer  bool
	isTTL        bool
}

func parseCreateMode(flag int32) (createMode, error) {
	if flag < FlagPersistent || flag > FlagPersistentSequentialWithTTL {
		return createMode{}, fmt.Errorf("invalid flag value: [%v]", flag)
	}
	return createMode{
		flag:         flag,
		isEphemeral:  flag == FlagEphemeral || flag == FlagEphemeralSequential,
		isSequential: flag == FlagSequence || flag == FlagEphemeralSequential || flag == FlagPersistentSequentialWithTTL,
		isContainer:  flag == FlagContainer,
		isTTL:        flag == FlagTTL || flag == FlagPersistentSequentialWithTTL,
	}, nil
}

// mode is the client's mode for a node without a time to live.
func (m createMode) mode() client.CreateMode {
	switch {
	case m.isContainer:
		return client.Container
	case m.isEphemeral && m.isSequential:
		return client.EphemeralSequential
	case m.isEphemeral:
		return client.Ephemeral
	case m.isSequential:
		return client.PersistentSequential
	}
	return client.Persistent
}
