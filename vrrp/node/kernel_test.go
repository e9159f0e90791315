package node

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"standfast/vrrp"
)

// changes are the installs, withdrawals and renewals among what a brain wants done, in words.
func changes(actions []Action) (list []string) {
	for _, a := range actions {
		switch a := a.(type) {
		case Install:
			list = append(list, fmt.Sprint("install ", a.Lease, a.Without))
		case Withdraw:
			list = append(list, "withdraw")
		case Renew:
			list = append(list, fmt.Sprint("renew ", a.Lease))
		}
	}
	return list
}

// The lease of an address is a whole number of seconds: as configured, or three intervals, 1 to 14 s.
func TestLeases(t *testing.T) {
	for _, c := range []struct{ lease, interval, want time.Duration }{
		{LeaseAuto, time.Second, 3 * time.Second}, {LeaseAuto, 10 * time.Millisecond, time.Second}, {LeaseAuto, 4 * time.Second, 12 * time.Second},
		{LeaseAuto, 4700 * time.Millisecond, 14 * time.Second}, {LeaseAuto, 40 * time.Second, 14 * time.Second}, {LeaseAuto, 400 * time.Millisecond, 2 * time.Second},
		{0, time.Second, 0}, {1, time.Second, time.Second}, {time.Second, time.Second, time.Second}, {time.Second + 1, time.Second, 2 * time.Second},
		{20 * time.Second, time.Second, 20 * time.Second},
	} {
		i := &instance{cfg: Instance{Lease: c.lease, VRRP: vrrp.Params{Interval: c.interval}}}
		if got := i.lease(); got != c.want {
			t.Errorf("lease %v at an interval of %v: %v, want %v", c.lease, c.interval, got, c.want)
		}
	}
}

// The kernel has an interval for a change, two seconds at least.
func TestPatienceWithTheKernel(t *testing.T) {
	for interval, want := range map[time.Duration]time.Duration{time.Second: 2 * time.Second, 3 * time.Second: 3 * time.Second} {
		i := &instance{cfg: Instance{VRRP: vrrp.Params{Interval: interval}}}
		if got := i.patience(); got != want {
			t.Errorf("interval %v: %v, want %v", interval, got, want)
		}
	}
}

// A lease is renewed with the first advert after a quarter of it, by itself after half of it, and what has run out is put there again.
func TestRenewals(t *testing.T) {
	const lease = 4 * time.Second
	for _, c := range []struct {
		after            time.Duration
		advert, settling string
	}{
		{time.Second - 1, "", ""}, {time.Second, "renew 4s", ""}, {2*time.Second - 1, "renew 4s", ""}, {2 * time.Second, "renew 4s", "renew 4s"},
		{4*time.Second - 1, "renew 4s", "renew 4s"}, {4 * time.Second, "install 4s []", "install 4s []"},
	} {
		for what, want := range map[string]string{"an advert": c.advert, "a look": c.settling} {
			n, i := established(t, with(100, func(i *Instance) { i.Lease = lease }))
			i.kernel.renewed = ago(n, c.after)
			if what == "an advert" {
				n.sendAdvert(i, 100)
			} else {
				n.settleKernel(i)
			}
			got := ""
			if x := changes(n.out); len(x) > 0 {
				got = x[0]
			}
			if got != want || len(changes(n.out)) > 1 {
				t.Errorf("%s after %v: %q, want %q", what, c.after, got, want)
			}
			if want != "" && !i.kernel.renewed.within(n.now, 0) {
				t.Errorf("%s after %v: the lease does not run anew", what, c.after)
			}
		}
	}
	for _, change := range []func(*instance){
		func(i *instance) { i.kernel.installed = false }, func(i *instance) { i.cfg.Lease = 0 },
	} {
		n, i := established(t, lone(100, 0))
		i.kernel.renewed = ago(n, time.Hour)
		change(i)
		n.sendAdvert(i, 100)
		n.settleKernel(i)
		if got := changes(n.out); len(got) > 0 {
			t.Errorf("nothing is there to be renewed, or for ever: %v", got)
		}
	}
	n, i := established(t, lone(100, 0))
	i.kernel.renewed = ago(n, time.Second)
	if n.sendAdvert(i, 0); len(changes(n.out)) > 0 {
		t.Errorf("a goodbye renews: %v", changes(n.out))
	}
}

// What the kernel says of a renewal: held up for more than half of the lease, or refused.
func TestAnswersToARenewal(t *testing.T) {
	for _, c := range []struct {
		name  string
		e     Renewed
		lease time.Duration
		there bool
		want  []string
		said  int
	}{
		{"quick", Renewed{Took: 2 * time.Second}, 4 * time.Second, true, nil, 0},
		{"held up", Renewed{Took: 2*time.Second + 1}, 4 * time.Second, true, []string{"renew 4s"}, 0},
		{"held up, without a lease", Renewed{Took: time.Hour}, 0, true, nil, 0},
		{"held up, and given back meanwhile", Renewed{Took: time.Hour}, 4 * time.Second, false, nil, 0},
		{"refused, and held up", Renewed{Err: "no such device", Took: time.Hour}, 4 * time.Second, true, []string{"install 4s []"}, 1},
		{"refused", Renewed{Err: "no such device"}, 4 * time.Second, true, []string{"install 4s []"}, 1},
	} {
		n, i := established(t, with(100, func(i *Instance) { i.Lease = c.lease }))
		i.kernel.installed, i.kernel.renewed = c.there, ago(n, 0)
		c.e.Key = i.cfg.Key()
		n.takeRenewed(c.e)
		if got := changes(n.out); !slices.Equal(got, c.want) || len(remarks(n.out)) != c.said {
			t.Errorf("%s: %v, said %v; want %v", c.name, got, remarks(n.out), c.want)
		}
		n.takeRenewed(Renewed{Key: Key{Port: "eth7"}})
	}
}

// What the kernel says of an installation.
func TestAnswersToAnInstallation(t *testing.T) {
	for _, c := range []struct {
		name      string
		change    func(n *Node, i *instance)
		e         Installed
		there     bool
		pending   bool
		announced int
		said      int
	}{
		{"done", nil, Installed{Serving: true}, true, false, 1, 0},
		{"done already", func(n *Node, i *instance) { i.kernel.installed = true }, Installed{Serving: true}, true, false, 0, 0},
		{"done, but for a route", nil, Installed{Serving: true, Err: "no route"}, true, false, 1, 1},
		{"done, but for a route, as was said", func(n *Node, i *instance) { i.kernel.why = "no route" }, Installed{Serving: true, Err: "no route"}, true, false, 1, 0},
		{"done, after a refusal", func(n *Node, i *instance) { i.kernel.why = "no" }, Installed{Serving: true}, true, false, 1, 0},
		{"refused", nil, Installed{Err: "no"}, false, true, 0, 1},
		{"given back meanwhile", func(n *Node, i *instance) { i.kernel.holding = false }, Installed{Serving: true, Err: "no"}, false, true, 0, 0},
		{"no MASTER any more", func(n *Node, i *instance) { n.drive(i, vrrp.Ruled{Ruling: vrrp.StepDown}); i.kernel.holding = true }, Installed{Serving: true}, true, false, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, i := serving(t, lone(100, 0))
			if c.change != nil {
				c.change(n, i)
			}
			n.out = nil
			c.e.Key = i.cfg.Key()
			n.takeInstalled(c.e)
			if k := i.kernel; k.installed != c.there || k.pending.ok != c.pending || len(announced(n.out)) != c.announced || len(remarks(n.out)) != c.said {
				t.Errorf("there %v, pending %v, announced %v, said %v", k.installed, k.pending.ok, announced(n.out), remarks(n.out))
			}
			if i.kernel.holding && i.kernel.why != c.e.Err {
				t.Errorf("the reason is kept as %q", i.kernel.why)
			}
			if i.mastery.announce2.ok || i.mastery.refresh.ok {
				t.Error("it announces again, without a delay and a period")
			}
			n.takeInstalled(Installed{Key: Key{Port: "eth7"}})
		})
	}
}

// What the kernel says of a withdrawal: a fault of one that was only stuck is over, one of a kernel that refused rests.
func TestAnswersToAWithdrawal(t *testing.T) {
	for _, c := range []struct {
		name            string
		holding         bool
		refused         bool
		again           bool
		err             string
		pending, failed bool
		said            int
	}{
		{"done", false, false, false, "", false, false, 0}, {"done, after a refusal", false, true, false, "", false, true, 0},
		{"done, after it was stuck again", false, false, true, "", false, true, 0},
		{"refused", false, false, false, "no", true, true, 1}, {"wished for again meanwhile", true, false, false, "no", true, true, 0},
	} {
		n, i := serving(t, lone(100, 0))
		i.kernel = kernel{holding: c.holding, refused: c.refused, again: c.again, pending: ago(n, 0), failed: ago(n, 0)}
		n.takeWithdrawn(Withdrawn{Key: i.cfg.Key(), Err: c.err})
		if k := i.kernel; k.pending.ok != c.pending || k.failed.ok != c.failed || len(remarks(n.out)) != c.said {
			t.Errorf("%s: pending %v, failed %v, said %v", c.name, k.pending.ok, k.failed.ok, remarks(n.out))
		}
		n.takeWithdrawn(Withdrawn{Key: Key{Port: "eth7"}})
	}
}

// What somebody else removed is put back where it is meant to be, and said.
func TestRemovalBySomebodyElse(t *testing.T) {
	for holding, want := range map[bool]int{true: 1, false: 0} {
		n, i := serving(t, lone(100, 0))
		i.kernel.holding = holding
		n.takeDeleted(Deleted{Key: i.cfg.Key()})
		n.takeDeleted(Deleted{Key: Key{Port: "eth7"}})
		if len(changes(n.out)) != want || len(remarks(n.out)) != want {
			t.Errorf("holding %v: %v, said %v", holding, changes(n.out), remarks(n.out))
		}
	}
}

// The first wish counts for how long a change takes, a later one does not make it younger.
func TestPendingChanges(t *testing.T) {
	n, i := established(t, lone(100, 0))
	k := &i.kernel
	n.install(i)
	first := n.now
	if k.pending != (stamp{first, true}) || !k.holding || k.installed || k.renewed != k.pending {
		t.Errorf("after an installation: %+v", k)
	}
	n.now, k.why = n.now.Add(time.Second), "old"
	n.install(i)
	if k.pending.at != first || k.renewed.at != n.now || k.why != "" {
		t.Errorf("after another: %+v", k)
	}
	n.withdraw(i)
	if k.pending.at != first || k.holding || k.installed {
		t.Errorf("after a withdrawal: %+v", k)
	}
	k.pending, k.installed, k.holding = stamp{}, true, true
	n.withdraw(i)
	if k.pending != (stamp{n.now, true}) || k.holding || k.installed {
		t.Errorf("after a withdrawal alone: %+v", k)
	}
	if got, want := changes(n.out), []string{"install 3s []", "install 3s []", "withdraw", "withdraw"}; !slices.Equal(got, want) {
		t.Errorf("the kernel is asked %v", got)
	}
}

// A change that is not done in time is a fault, with what the kernel said or that it said nothing; it rests for half a minute.
func TestChangesThatAreNotDone(t *testing.T) {
	for _, c := range []struct {
		name   string
		k      func(n *Node) kernel
		failed bool
		why    string
		moved  bool
	}{
		{"in time", func(n *Node) kernel { return kernel{holding: true, pending: ago(n, 2*time.Second-1)} }, false, "", false},
		{"stuck", func(n *Node) kernel { return kernel{holding: true, pending: ago(n, 2*time.Second)} }, true, "no answer within 2s", true},
		{"refused", func(n *Node) kernel { return kernel{holding: true, pending: ago(n, 2*time.Second), why: "no"} }, true, "no", true},
		{"done", func(n *Node) kernel {
			return kernel{holding: true, installed: true, pending: ago(n, time.Hour), renewed: ago(n, 0)}
		}, false, "", false},
		{"nothing pending", func(n *Node) kernel { return kernel{holding: true} }, false, "", false},
		{"a withdrawal", func(n *Node) kernel { return kernel{pending: ago(n, time.Hour)} }, false, "", false},
		{"it rests", func(n *Node) kernel { return kernel{failed: ago(n, 30*time.Second), why: "no"} }, true, "no", false},
		{"it has rested", func(n *Node) kernel { return kernel{failed: ago(n, 30*time.Second+1), why: "no"} }, false, "", true},
		{"it has rested, but is stuck", func(n *Node) kernel { return kernel{failed: ago(n, time.Hour), pending: ago(n, 0), why: "no"} }, true, "no", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, i := established(t, lone(100, 0))
			i.kernel, n.moved = c.k(n), false
			n.settleKernel(i)
			if k := i.kernel; k.failed.ok != c.failed || k.why != c.why || n.moved != c.moved || len(n.out) > 0 {
				t.Errorf("failed %v, %q, looked at again %v, %v", k.failed.ok, k.why, n.moved, n.out)
			}
			if k := i.kernel; c.moved && c.failed && (k.refused != (c.name == "refused") || !k.failed.within(n.now, 0)) {
				t.Errorf("refused %v, failed %v", k.refused, k.failed)
			}
		})
	}
}

// A kernel that is stuck for the second time within a minute is one that is stuck again.
func TestKernelIsStuckAgain(t *testing.T) {
	for after, want := range map[time.Duration]bool{time.Minute: true, time.Minute + 1: false} {
		n, i := established(t, lone(100, 0))
		k := &i.kernel
		for turn, again := range []bool{false, want} {
			*k = kernel{holding: true, pending: ago(n, 2*time.Second), gaveUp: k.gaveUp}
			if n.settleKernel(i); k.again != again || k.gaveUp != (stamp{n.now, true}) {
				t.Errorf("stuck for time %d, %v apart: again %v, since %v", turn+1, after, k.again, k.gaveUp)
			}
			n.now = n.now.Add(after)
		}
	}
}

// One stuck change keeps the whole router from claiming.
func TestStuckRouter(t *testing.T) {
	n, _ := established(t, neighbours(100).Instances...)
	k := &n.instances[1].kernel
	for _, c := range []struct {
		pending stamp
		want    bool
	}{{stamp{}, false}, {ago(n, 2*time.Second-1), false}, {ago(n, 2*time.Second), true}, {stamp{at: 1}, false}} {
		if k.pending = c.pending; n.stuck() != c.want {
			t.Errorf("pending since %v: stuck %v", c.pending, !c.want)
		}
	}
}

// A partial service leaves out the ports that are known to be down.
func TestPortsThatAreLeftOut(t *testing.T) {
	for partial, want := range map[bool][]Port{true: {"p3p2"}, false: nil} {
		n, i := established(t, story(100))
		n.byName["p3p2"].state.Carrier, n.byName["p1p1"].state.Carrier = CarrierDown, CarrierUnknown
		i.partial = partial
		if got := i.outOfService(); !slices.Equal(got, want) {
			t.Errorf("partial %v: without %v, want %v", partial, got, want)
		}
	}
}

// Nothing is announced before it is there; five frames where nothing is configured.
func TestAnnouncements(t *testing.T) {
	n, i := established(t, lone(100, 0))
	for repeat, want := range map[int]int{-1: 5, 0: 5, 1: 1, 7: 7} {
		n.out = nil
		if n.announce(i, repeat); !slices.Equal(announced(n.out), []int{want}) {
			t.Errorf("%d: %v, want %d", repeat, announced(n.out), want)
		}
	}
	n.out, i.kernel.installed = nil, false
	if n.announce(i, 1); len(n.out) > 0 {
		t.Errorf("what is not there is announced: %v", n.out)
	}
}

// However short the delay and the period of announcements are, they are kept.
func TestShortestPaceOfAnnouncements(t *testing.T) {
	n, i := serving(t, lone(100, 0))
	i.cfg.Announce = Announcing{Delay: 1, Refresh: 1}
	n.takeInstalled(Installed{Key: i.cfg.Key(), Serving: true})
	if m := i.mastery; m.announce2 != (stamp{n.now + 1, true}) || m.refresh != (stamp{n.now + 2, true}) {
		t.Errorf("announces again at %+v and at %+v, want 1 and 2 ns after %v", m.announce2, m.refresh, n.now)
	}
}
