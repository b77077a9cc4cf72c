package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// fault is something that goes wrong for a while. What is drawn for it, is drawn when the schedule is made.
type fault struct {
	name string
	// holds is for how long, calm for how long the ensemble is left alone then.
	holds, calm time.Duration
	// victims are numbers of members, in an order: a fault takes as many as it wants. 0 stands for who leads.
	victims []int
	kind    func(n *nemesis, f *fault) error
}

func (f *fault) String() string { return fmt.Sprintf("%s %v for %v", f.name, f.victims, f.holds) }

// faults are those there are.
var faults = []struct {
	name string
	do   func(n *nemesis, f *fault) error
}{
	{"kill", (*nemesis).kill},
	{"kill all", (*nemesis).killAll},
	{"pause", (*nemesis).pause},
	{"isolate", (*nemesis).isolate},
	{"split", (*nemesis).split},
	{"one way", (*nemesis).oneWay},
	{"deaf", (*nemesis).deaf},
	{"ring", (*nemesis).ring},
	{"full disk", (*nemesis).fullDisk},
	{"slow disk", (*nemesis).slowDisk},
	{"failed sync", (*nemesis).failedSync},
	{"clock", (*nemesis).clock},
	{"restart", (*nemesis).restart},
	{"roll", (*nemesis).roll},
}

// schedule draws faults: each kind in turn, in an order that the seed decides.
func schedule(r *rand.Rand, members int) func() *fault {
	var order []int
	return func() *fault {
		if len(order) == 0 {
			order = r.Perm(len(faults))
		}
		kind := faults[order[0]]
		order = order[1:]
		f := &fault{name: kind.name, kind: kind.do,
			holds: time.Duration(300+r.IntN(1200)) * time.Millisecond, calm: time.Duration(200+r.IntN(800)) * time.Millisecond}
		for _, i := range r.Perm(members) {
			f.victims = append(f.victims, i+1)
		}
		if r.IntN(2) == 0 { // who leads has most to lose
			f.victims = append([]int{0}, f.victims...)
		}
		return f
	}
}

// nemesis does faults.
type nemesis struct {
	c *cluster
}

// victims are the members that a fault names.
func (n *nemesis) victims(f *fault) (list []*member) {
	seen := map[*member]bool{}
	for _, id := range f.victims {
		var m *member
		if id == 0 {
			m = n.c.leader()
		} else {
			m = n.c.members[id-1]
		}
		if m != nil && !seen[m] {
			seen[m] = true
			list = append(list, m)
		}
	}
	return list
}

// do does a fault and sees to it that nothing of it is left.
func (n *nemesis) do(f *fault) error {
	for _, m := range n.c.members {
		if err := m.revive(); err != nil { // of the fault before, which a server takes its time to end by
			return err
		}
	}
	if err := f.kind(n, f); err != nil {
		return fmt.Errorf("%v: %w", f, err)
	}
	time.Sleep(f.calm)
	return nil
}

// minority is the largest number of members that an ensemble can do without.
func (n *nemesis) minority() int { return (len(n.c.members) - 1) / 2 }

func (n *nemesis) kill(f *fault) error {
	return n.down(f, n.victims(f)[:n.minority()], syscall.SIGKILL)
}

func (n *nemesis) killAll(f *fault) error {
	f.holds /= 4
	return n.down(f, n.c.members, syscall.SIGKILL)
}

func (n *nemesis) restart(f *fault) error {
	return n.down(f, n.victims(f)[:1], syscall.SIGTERM)
}

// roll restarts one after the other, and waits for nothing but the process.
func (n *nemesis) roll(f *fault) error {
	f.holds /= 8
	for _, m := range n.victims(f) {
		if err := n.down(f, []*member{m}, syscall.SIGTERM); err != nil {
			return err
		}
		time.Sleep(f.calm)
	}
	return nil
}

// down ends members and starts them again.
func (n *nemesis) down(f *fault, members []*member, sig syscall.Signal) error {
	for _, m := range members {
		if err := m.end(sig); err != nil {
			return err
		}
	}
	time.Sleep(f.holds)
	for _, m := range members {
		if err := m.start(); err != nil {
			return err
		}
	}
	return nil
}

func (n *nemesis) pause(f *fault) error {
	members := n.victims(f)[:n.minority()]
	for _, m := range members {
		if err := m.signal(syscall.SIGSTOP); err != nil {
			return err
		}
	}
	time.Sleep(f.holds)
	for _, m := range members {
		if err := m.signal(syscall.SIGCONT); err != nil {
			return err
		}
	}
	return nil
}

// cuts holds back what goes from one member to another, as far as between says so. Clients reach them all.
func (n *nemesis) cuts(f *fault, between func(from, to int) bool) error {
	for _, from := range n.c.members {
		for _, to := range n.c.members {
			if from != to && between(from.id, to.id) {
				if err := n.c.net.cut(from.id, to.id); err != nil {
					return err
				}
			}
		}
	}
	time.Sleep(f.holds)
	return n.c.net.mend()
}

// isolate cuts one member off.
func (n *nemesis) isolate(f *fault) error {
	victim := n.victims(f)[0].id
	return n.cuts(f, func(from, to int) bool { return from == victim || to == victim })
}

// split divides the members into a majority and the others, who may have the leader.
func (n *nemesis) split(f *fault) error {
	small := map[int]bool{}
	for _, m := range n.victims(f)[:n.minority()] {
		small[m.id] = true
	}
	return n.cuts(f, func(from, to int) bool { return small[from] != small[to] })
}

// oneWay lets a member hear the others, who do not hear it.
func (n *nemesis) oneWay(f *fault) error {
	victim := n.victims(f)[0].id
	return n.cuts(f, func(from, to int) bool { return from == victim })
}

// deaf lets the others hear a member that does not hear them.
func (n *nemesis) deaf(f *fault) error {
	victim := n.victims(f)[0].id
	return n.cuts(f, func(from, to int) bool { return to == victim })
}

// ring leaves each member a majority, and each another one. Of three, two do not hear of each other.
func (n *nemesis) ring(f *fault) error {
	size := len(n.c.members)
	at := map[int]int{}
	for i, m := range n.victims(f) {
		at[m.id] = i
	}
	return n.cuts(f, func(from, to int) bool {
		distance := (at[from] - at[to] + size) % size
		if size == 3 {
			return at[from] != 0 && at[to] != 0
		}
		return distance != 1 && distance != size-1
	})
}

// fullDisk leaves nothing of a disk's room. A server that cannot log ends; it is started once there is room again.
func (n *nemesis) fullDisk(f *fault) error {
	members := n.victims(f)[:n.minority()]
	for _, m := range members {
		m.mayExit = true
		if err := fill(filepath.Join(m.disk(), "filler")); err != nil {
			return err
		}
	}
	time.Sleep(f.holds)
	for _, m := range members {
		if err := os.Remove(filepath.Join(m.disk(), "filler")); err != nil {
			return err
		}
		if err := m.end(syscall.SIGKILL); err != nil {
			return err
		}
		if err := m.start(); err != nil {
			return err
		}
	}
	return nil
}

// slowDisk lets every sync of some logs take long.
func (n *nemesis) slowDisk(f *fault) error {
	return n.armed(f, n.victims(f)[:n.minority()+1], "log/sync=stall(60ms)")
}

// failedSync lets a sync of the log fail: what was written is there or not, and the server ends.
func (n *nemesis) failedSync(f *fault) error {
	return n.armed(f, n.victims(f)[:n.minority()], "log/sync=fail(EIO)")
}

// clock sets a clock.
func (n *nemesis) clock(f *fault) error {
	ahead := time.Hour
	if f.holds%2 == 0 {
		ahead = -ahead
	}
	return n.armed(f, n.victims(f)[:1], fmt.Sprintf("clock/wall=shift(%v)", ahead))
}

// armed lets failpoints of members do something for a while. Those that end by it are started again.
func (n *nemesis) armed(f *fault, members []*member, rules string) error {
	for _, m := range members {
		if err := m.arm(rules); err != nil {
			return err
		}
	}
	time.Sleep(f.holds)
	return n.disarm(members)
}

// disarm ends what failpoints of members do.
func (n *nemesis) disarm(members []*member) error {
	for _, m := range members {
		if err := m.arm(""); err != nil {
			return err
		}
		if err := m.revive(); err != nil {
			return err
		}
	}
	return nil
}

// fill writes a file until nothing more goes.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for len(block) > 0 {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/16]
		} else if err != nil {
			return err
		}
	}
	return nil
}
