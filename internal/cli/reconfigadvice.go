package cli

import (
	"context"
	"errors"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/config"
)

// advised is an error with what its code does not say.
type advised struct {
	error
	advice string // "" for nothing
}

// Unwrap gives the error.
func (a *advised) Unwrap() error { return a.error }

func adviceIn(err error) string {
	var a *advised
	if errors.As(err, &a) {
		return a.advice
	}
	return ""
}

// refusedChange says why a change of the members was refused, as far as that can be told here, and what to do.
func refusedChange(ctx context.Context, c *client.Client, change client.Reconfiguration, err error) string {
	switch code, _ := codeOf(err); code {
	case client.ErrNoAuth:
		return "Who changes the members must be allowed to write /zookeeper/config: the super user is (--auth digest:super:PASSWORD)."
	case client.ErrReconfigDisabled:
		return "Set reconfigEnabled=true in the zoo.cfg of every member, and start one after the other again."
	case client.ErrUnimplemented:
		return "The server runs alone: it is no member of an ensemble."
	case client.ErrBadVersion:
		return "Another configuration is in force by now: see config."
	case client.ErrNewConfigNoQuorum:
		return "Start the new servers first. The leader's log and the admin command observers say who is in sync."
	case client.ErrBadArguments, client.ErrMarshalling:
		inForce, _, err := c.Config(ctx)
		if err != nil {
			inForce = nil // the log has to do
		}
		return lines(whyBad(inForce, change), "The leader's log has the reason, too.")
	}
	return ""
}

// whyBad makes the change here, of the configuration in force, to see what is wrong with it.
func whyBad(inForce []byte, change client.Reconfiguration) string {
	now, err := config.ParseMembership(string(inForce), true)
	if err != nil {
		return ""
	}
	said := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	const multi, standalone = true, true // servers may have it otherwise, and say so in the leader's log
	_, err = now.Change(config.Change{Joining: said(change.Joining), Leaving: said(change.Leaving), Members: said(change.Members)}, multi, standalone)
	if err != nil {
		return err.Error()
	}
	return ""
}
