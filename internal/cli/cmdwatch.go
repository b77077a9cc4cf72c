package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/quollhq/quoll/client"
)

func watchCommands() []*command {
	mode := option{name: "m", value: "mode", help: "PERSISTENT or PERSISTENT_RECURSIVE, which is the default"}
	return []*command{
		{
			name: "addWatch", usage: "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is PERSISTENT_RECURSIVE",
			least: 1, most: 1, options: []option{mode},
			summary:  "Watch a node, or it and all below it, until removewatches",
			examples: []string{"addWatch /app", "addWatch -m PERSISTENT /app"},
			run:      runAddWatch,
		},
		{
			name: "removewatches", usage: "path [-c|-d|-a] [-l]", least: 1,
			options: []option{
				{name: "c", help: "child watcher type"}, {name: "d", help: "data watcher type"},
				{name: "p", help: "persistent watcher type"}, {name: "r", help: "persistent recursive watcher type"},
				{name: "a", help: "any watcher type"}, {name: "l", help: "remove locally when there is no server connection"},
			},
			summary:  "Remove watches",
			examples: []string{"removewatches /app", "removewatches /app -d"},
			run:      runRemoveWatches,
		},
		{
			name: "watch", usage: "[-m mode] [-n events] [-t] path", least: 1, most: 1, quiet: true,
			options: []option{
				mode, {name: "n", value: "events", help: "end after so many"},
				{name: "t", help: "with the time at which each event came"},
			},
			summary: "Print events as they come, until it is interrupted",
			details: "After a connection was lost, a line with Reset tells that events may be missing.",
			examples: []string{
				"watch /app", "watch -m PERSISTENT -n 1 /app/config", "quoll cli -o json watch /app",
			},
			run: runWatch,
		},
	}
}

func watchMode(p *parsed) (client.WatchMode, bool) {
	switch strings.ToUpper(valueOr(p, "m", "PERSISTENT_RECURSIVE")) {
	case "PERSISTENT":
		return client.WatchNode, true
	case "PERSISTENT_RECURSIVE":
		return client.WatchTree, true
	}
	return 0, false
}

func runAddWatch(ctx context.Context, sh *shell, p *parsed) error {
	mode, ok := watchMode(p)
	if !ok {
		return sh.find("addWatch").wrongCall()
	}
	w, err := sh.client().AddWatch(ctx, p.args[0], mode)
	if err != nil {
		return err
	}
	sh.conn.addStream(w)
	return sh.emitPath(p.args[0])
}

func runRemoveWatches(ctx context.Context, sh *shell, p *parsed) error {
	kind := client.AnyWatches
	switch {
	case p.has("c"):
		kind = client.ChildWatches
	case p.has("d"):
		kind = client.DataWatches
	case p.has("p"):
		kind = client.PersistentWatches
	case p.has("r"):
		kind = client.PersistentRecursiveWatches
	}
	err := sh.client().RemoveWatches(ctx, p.args[0], kind)
	if errors.Is(err, client.ErrConnectionLoss) && p.has("l") && sh.client().ForgetWatches(p.args[0], kind) {
		err = nil
	}
	if err != nil {
		return err
	}
	return sh.emitPath(p.args[0])
}

func runWatch(ctx context.Context, sh *shell, p *parsed) (err error) {
	mode, ok := watchMode(p)
	if !ok {
		return sh.find("watch").wrongCall()
	}
	most, err := p.integer("n", 32, 0)
	if err != nil {
		return err
	}
	sh.drain()
	printing := sh.muteEvents()
	defer printing()
	w, err := sh.client().AddWatch(ctx, p.args[0], mode)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		err = errors.Join(err, w.Close(closing))
	}()
	for n := int64(0); most == 0 || n < most; n++ {
		ev, err := w.Next(ctx)
		if errors.Is(err, context.Canceled) {
			return nil // it was interrupted, which is how it ends
		}
		if err != nil {
			return err
		}
		sh.printWatched(ev, p.has("t"))
	}
	return nil
}

// muteEvents keeps the shell from printing events by itself until the
// function that it returns is called.
func (sh *shell) muteEvents() func() {
	sh.mu.Lock()
	was := sh.watches
	sh.watches = false
	sh.mu.Unlock()
	return func() {
		sh.drain()
		sh.mu.Lock()
		sh.watches = was
		sh.mu.Unlock()
	}
}

func (sh *shell) printWatched(ev client.Event, withTime bool) {
	now := time.Now()
	doc := struct {
		Time  time.Time `json:"time"`
		Event eventDoc  `json:"event"`
	}{now.UTC(), newEventDoc(ev)}
	sh.print(doc, func(w io.Writer) {
		if withTime {
			fmt.Fprint(w, now.Format("15:04:05.000 "))
		}
		fmt.Fprintf(w, "%-20s %s zxid: %d\n", ev.Type, ev.Path, ev.Zxid)
	})
}
