package node

import (
	"fmt"
	"testing"
	"time"

	"standfast/vrrp"
)

// TestStallGuard: whatever the router does about preemption, a MASTER that wakes later than its master-down interval takes its
// addresses off before it says anything, says nothing for as long as a BACKUP listens, and then does what its mode is.
func TestStallGuard(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*Instance)
		serves  bool // again, though another MASTER of lower priority is heard
		patient time.Duration
	}{
		{"preempt", func(*Instance) {}, true, 0},
		{"nopreempt", func(i *Instance) { i.VRRP.Preempt = false }, false, 0},
		{"preempt_delay", func(i *Instance) { i.VRRP.PreemptDelay = 20 * time.Second }, true, 20 * time.Second},
		{"owner", func(i *Instance) { i.VRRP.Priority = 255 }, true, 0},
	} {
		for _, other := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, another serves %v", c.name, other), func(t *testing.T) {
				cfg := lone(150, 0)
				c.change(&cfg)
				n, i := established(t, cfg)
				i.cfg.Lease = 0 // nobody answers a renewal here
				n.drive(i, vrrp.Expired{})
				n.due, n.hasDue = n.nextDeadline()
				down := i.masterDown()
				woken := n.due.Add(down + 1)
				said := n.Step(woken, Expired{})
				if len(said) == 0 || !letsGo(said) || speaks(said) || i.state() != vrrp.Backup {
					t.Fatalf("woken %v late, %v: %v", down+1, i.state(), said)
				}
				n.Step(woken, Withdrawn{Key: i.cfg.Key()})
				served := time.Duration(0)
				for at := woken; at < woken.Add(c.patient+4*down); at = at.Add(time.Second / 4) {
					if other && i.state() == vrrp.Backup && at.Sub(woken)%time.Second == 0 {
						n.Step(at, frame(t, i.cfg, 100, nil))
					}
					said := n.Step(at, Expired{})
					if i.state() == vrrp.Master && served == 0 {
						served = at.Sub(woken)
					}
					if speaks(said) && at.Sub(woken) < 3*time.Second {
						t.Fatalf("it speaks %v after it woke: %v", at.Sub(woken), said)
					}
				}
				want := c.serves || !other
				if got := served > 0; got != want {
					t.Errorf("it serves again %v, want %v", got, want)
				}
				if want && other && served < c.patient {
					t.Errorf("it serves again after %v, its patience is %v", served, c.patient)
				}
			})
		}
	}
}

// letsGo says that the addresses are taken off.
func letsGo(actions []Action) bool {
	for _, a := range actions {
		if _, ok := a.(Withdraw); ok {
			return true
		}
	}
	return false
}

// speaks says that an advert or an announcement goes out.
func speaks(actions []Action) bool {
	for _, a := range actions {
		switch a.(type) {
		case SendAdvert, Announce:
			return true
		}
	}
	return false
}
