package node

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// emittedOf are the actions of a type that wait to be returned.
func emittedOf[T Action](n *Node) (list []T) {
	for _, a := range n.out {
		if x, ok := a.(T); ok {
			list = append(list, x)
		}
	}
	return list
}

// failing is a MASTER whose addresses are in the kernel and whose storage has failed, for a while. The peer has just asked.
func failing(t *testing.T) (*Node, *instance) {
	t.Helper()
	n, i := serving(t, story(100))
	i.kernel.installed, i.kernel.pending = true, stamp{}
	n.now = n.now.Add(time.Minute)
	n.takeStorage(StorageRead{State: StorageFailed, Culprit: "sda hangs"})
	i.heart.asked.set(n.now)
	n.out = nil
	return n, i
}

// What is said of storage, and when: of each state once, with what is wrong; a state that goes on only changes its culprit.
func TestWhatIsSaidOfStorage(t *testing.T) {
	n, i := serving(t, story(100))
	for _, c := range []struct {
		state   Storage
		culprit string
		level   Level
		text    string
		spent   bool // what remains of a resignation
	}{
		{StorageSlow, "sda is slow", Warning, "storage is slow: sda is slow", true},
		{StorageSlow, "sdb is slow", 0, "", true},
		{StorageFailed, "sda hangs", Alarm, "storage failed: sda hangs", true},
		{StorageFailed, "sda errs", 0, "", true},
		{StorageUnknown, "", 0, "", true},
		{StorageFailed, "sda hangs", Alarm, "storage failed: sda hangs", true},
		{StorageHealthy, "", Info, "storage is healthy", false},
	} {
		n.out, i.retiring.spent = nil, true
		n.now = n.now.Add(time.Second)
		before := n.storage
		n.storage.told, n.storage.fenced = []verdict.Rule{verdict.StorageAlone}, true
		n.takeStorage(StorageRead{State: c.state, Culprit: c.culprit})
		var want []Note
		if c.text != "" {
			want = []Note{{Level: c.level, Text: c.text}}
		}
		if got := emittedOf[Note](n); !slices.Equal(got, want) {
			t.Errorf("%v %q: %v, want %v", c.state, c.culprit, got, want)
		}
		s, changed := n.storageStatus(), c.state != before.state
		if s.State != c.state || s.Culprit != c.culprit || s.Resigned != c.spent || (s.Since == n.now) != changed {
			t.Errorf("%v %q: status %+v", c.state, c.culprit, s)
		}
		if changed == n.storage.fenced || changed != (len(n.storage.told) == 0) {
			t.Errorf("%v %q: fenced %v, told %v", c.state, c.culprit, n.storage.fenced, n.storage.told)
		}
	}
}

// Who resigns, and who does not, whatever his storage.
func TestWhoResigns(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Node, *instance)
		want   bool
	}{
		{"a MASTER", func(*Node, *instance) {}, true},
		{"one that is contested", func(_ *Node, i *instance) { i.mastery.contested = true }, false},
		{"one whose addresses are not there yet", func(_ *Node, i *instance) { i.kernel.installed = false }, false},
		{"a BACKUP", func(n *Node, i *instance) {
			n.drive(i, vrrp.Ruled{Ruling: vrrp.StepDown})
			i.kernel.installed = true
		}, false},
		{"asked as it took over", func(_ *Node, i *instance) { i.mastery.since = i.heart.asked.at }, false},
		{"asked just after", func(_ *Node, i *instance) { i.mastery.since = i.heart.asked.at - 1 }, true},
		{"asked as long ago as counts", func(n *Node, _ *instance) { n.now = n.now.Add(askedLately) }, true},
		{"asked longer ago", func(n *Node, _ *instance) { n.now = n.now.Add(askedLately + 1) }, false},
		{"resigned before", func(_ *Node, i *instance) { i.retiring.spent = true }, false},
		{"resigned before, and another served for a minute", func(_ *Node, i *instance) {
			i.retiring = retiring{spent: true, served: stamp{at: 1, ok: true}, heard: stamp{at: vrrp.Instant(servedLong) + 1, ok: true}}
		}, true},
		{"resigned before, and another served for a little less", func(_ *Node, i *instance) {
			i.retiring = retiring{spent: true, served: stamp{at: 1, ok: true}, heard: stamp{at: vrrp.Instant(servedLong), ok: true}}
		}, false},
	} {
		n, i := failing(t)
		c.change(n, i)
		n.out = nil
		n.settleStorage(i)
		goodbyes := emittedOf[SendAdvert](n)
		if got := len(goodbyes) == 1; got != c.want || c.want != (len(emittedOf[Withdraw](n)) == 1) {
			t.Errorf("%s: %d goodbyes, want %v; %v", c.name, len(goodbyes), c.want, n.out)
		}
		if i.state() == vrrp.Backup && i.retiring.spent != c.want {
			t.Errorf("%s: has resigned: %v", c.name, i.retiring.spent)
		}
		if i.state() == vrrp.Master && i.kernel.installed && !i.mastery.contested && i.retiring.served.ok {
			t.Errorf("%s: what was heard before this mastership counts for the next", c.name)
		}
	}
}

// The sentence of a rule is said once for a failure, of whichever instance.
func TestFitnessIsSaidOnce(t *testing.T) {
	n, i := failing(t)
	i.retiring.spent = true
	for range 3 {
		n.settleStorage(i)
	}
	if got := len(emittedOf[Note](n)); got != 1 {
		t.Errorf("said %d times", got)
	}
	i.heart.asked = stamp{}
	i.retiring.spent = false
	n.settleStorage(i)
	if got := len(emittedOf[Note](n)); got != 2 {
		t.Errorf("two rules, %d sentences", got)
	}
}

// Another serves for as long as his adverts leave no gap.
func TestServedBy(t *testing.T) {
	var r retiring
	const gap = 2 * time.Second
	for _, c := range []struct{ at, since vrrp.Instant }{
		{1, 1}, {1 + vrrp.Instant(gap), 1}, {2 + 2*vrrp.Instant(gap), 2 + 2*vrrp.Instant(gap)}, {3 + 2*vrrp.Instant(gap), 2 + 2*vrrp.Instant(gap)},
	} {
		r.servedBy(c.at, gap)
		if r.served.at != c.since || r.heard.at != c.at {
			t.Errorf("at %v: since %v until %v, want since %v", c.at, r.served.at, r.heard.at, c.since)
		}
	}
	r.served = stamp{} // a mastership of our own
	r.servedBy(4+2*vrrp.Instant(gap), gap)
	if r.served.at != 4+2*vrrp.Instant(gap) {
		t.Errorf("before our own mastership: since %v", r.served.at)
	}
}

// How long a control question counts, and whose.
func TestProbes(t *testing.T) {
	mac, other := MAC{2, 'H'}, MAC{2, 'O'}
	own, strange := addr("192.168.10.7"), addr("192.168.10.8")
	const begin = vrrp.Instant(time.Hour)
	for _, c := range []struct {
		name  string
		again time.Duration // after the first
		asks  time.Duration // after the last
		want  bool
	}{
		{"for as long as it takes", probesFor, 0, true},
		{"for a little less", probesFor - 1, 0, false},
		{"as long ago as counts", probesFor, probeMemory, true},
		{"longer ago", probesFor, probeMemory + 1, false},
		{"again after as long as is remembered", probeMemory, 0, true},
		{"again after longer", probeMemory + 1, 0, false},
	} {
		p := newPort("p3p1")
		p.addProber(begin, other, own)
		p.addProber(begin, mac, strange)
		p.addProber(begin, mac, own)
		last := begin.Add(c.again)
		p.addProber(last, mac, own)
		if k := len(p.probers); k != 3 && c.again <= probeMemory {
			t.Errorf("%s: %d are remembered", c.name, k)
		}
		now := last.Add(c.asks)
		if got := p.probes(now, mac, own); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		if p.probes(now, other, own) || p.probes(now, mac, strange) {
			t.Errorf("%s: what one station asks counts for another, or for another address", c.name)
		}
	}
}

// Only an IPv4 question has no sender: a solicitation from :: is duplicate address detection.
func TestDuplicateDetectionIsNoQuestion(t *testing.T) {
	n, i := serving(t, with(100, func(i *Instance) {
		i.VIPs = append(i.VIPs, VIP{Port: "p3p1", Prefix: netip.MustParsePrefix("2001:db8::1/64")})
	}))
	p := n.byName["p3p1"]
	for _, target := range []string{"2001:db8::1", "2001:db8::7"} {
		n.noteAsker(p, Heard{Port: "p3p1", Op: Request, Sender: addr("::"), MAC: MAC{2, 'H'}, Target: addr(target)})
	}
	if i.heart.asked.ok || len(p.probers) != 0 {
		t.Errorf("asked %v, %d probers", i.heart.asked.ok, len(p.probers))
	}
	n.noteAsker(p, Heard{Port: "p3p1", Op: Request, Sender: addr("192.168.10.7"), MAC: MAC{2, 'H'}, Target: addr("192.168.10.8")})
	if len(p.probers) != 0 {
		t.Error("a question with a sender makes a prober")
	}
}

// When a reset is asked for.
func TestWhenAHostIsFenced(t *testing.T) {
	const fence = 30 * time.Second
	for _, c := range []struct {
		name   string
		change func(*Node, *instance)
		want   bool
	}{
		{"another serves", func(*Node, *instance) {}, true},
		{"no policy", func(n *Node, _ *instance) { n.storage.policy.Fence = 0 }, false},
		{"too early", func(n *Node, _ *instance) { n.storage.since++ }, false},
		{"slow", func(n *Node, _ *instance) { n.storage.state = StorageSlow }, false},
		{"done before", func(n *Node, _ *instance) { n.storage.fenced = true }, false},
		{"nothing to serve", func(n *Node, _ *instance) { n.instances = nil }, false},
		{"nobody is heard", func(_ *Node, i *instance) { i.obeyed = stamp{} }, false},
		{"this one serves", func(n *Node, i *instance) {
			n.drive(i, vrrp.Ruled{Ruling: vrrp.TakeOver})
			i.obeyed.set(n.now)
		}, false},
	} {
		n := single(t, story(100))
		i := n.instances[0]
		n.storage = storage{state: StorageFailed, culprit: "sda hangs", since: n.now, policy: StoragePolicy{Fence: fence}}
		n.now = n.now.Add(fence)
		i.obeyed.set(n.now)
		c.change(n, i)
		n.out = nil
		n.settleFence()
		notes, fences := len(emittedOf[Note](n)), emittedOf[Fence](n)
		if got := len(fences) == 1; got != c.want || notes != len(fences) || c.want && fences[0].Reason != "sda hangs" {
			t.Errorf("%s: %v, %d notes", c.name, fences, notes)
		}
	}
}

// The deadline of a fence is one moment, and none once it is over.
func TestFenceDeadline(t *testing.T) {
	n := single(t, story(100))
	due := func() (vrrp.Instant, bool) {
		var d deadline
		n.fenceDeadline(&d)
		return d.at, d.ok
	}
	n.storage = storage{state: StorageFailed, since: n.now, policy: StoragePolicy{Fence: time.Second}}
	at := n.now.Add(time.Second)
	for _, c := range []struct {
		now  vrrp.Instant
		want bool
	}{{n.now, true}, {at - 1, true}, {at, false}, {at + 1, false}} {
		n.now = c.now
		if got, ok := due(); ok != c.want || ok && got != at {
			t.Errorf("at %v: %v %v", c.now, got, ok)
		}
	}
	for _, s := range []storage{
		{state: StorageHealthy, since: n.now, policy: StoragePolicy{Fence: time.Second}},
		{state: StorageFailed, since: n.now + 1},
	} {
		n.storage = s
		if _, ok := due(); ok {
			t.Errorf("%+v has a deadline", s)
		}
	}
}

// A port that is gone or was taken down says so.
func TestCulpritsOfLinks(t *testing.T) {
	for _, c := range []struct {
		state PortState
		want  string
	}{
		{PortState{}, "p3p1: interface does not exist"},
		{PortState{Present: true}, "p3p1: administratively down"},
		{PortState{Present: true, AdminUp: true}, ""},
		{PortState{Present: true, AdminUp: true, Carrier: CarrierUp, Culprit: "what is of no account while it works"}, ""},
	} {
		p := newPort("p3p1")
		p.known, p.state = true, c.state
		if got := p.culprit(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.state, got, c.want)
		}
	}
}

// A group resigns with every member that serves, one whose addresses are not in the kernel yet included; one that does not serve
// says nothing.
func TestMembersResignTogether(t *testing.T) {
	b := newPair(t).add("B")
	b.cfg = group2(100)
	n := b.start().n
	lead, other := n.instances[0], n.instances[1]
	n.storage.state = StorageFailed
	for _, serves := range []bool{true, false} {
		for _, i := range n.instances {
			n.drive(i, vrrp.Ruled{Ruling: vrrp.TakeOver})
			i.retiring = retiring{}
		}
		lead.kernel.installed, other.kernel.installed = true, false
		if !serves {
			n.drive(other, vrrp.Ruled{Ruling: vrrp.StepDown})
		}
		n.now = n.now.Add(time.Second)
		lead.heart.asked.set(n.now)
		n.out = nil
		n.settleStorage(lead)
		want := 1
		if serves {
			want = 2
		}
		if got := len(emittedOf[SendAdvert](n)); got != want || !other.retiring.spent || other.state() != vrrp.Backup {
			t.Errorf("the other serves: %v; %d goodbyes, and it has resigned: %v, and is %v", serves, got, other.retiring.spent, other.state())
		}
	}
}

// What storage is called, and what the judge makes of it: storage that is slow is sound, and what is not known is no evidence.
func TestWordsForStorage(t *testing.T) {
	for s, want := range []struct {
		word     string
		evidence verdict.Storage
	}{
		StorageUnknown: {"unknown", verdict.StorageUnknown}, StorageHealthy: {"healthy", verdict.StorageSound}, StorageSlow: {"slow", verdict.StorageSound},
		StorageFailed: {"failed", verdict.StorageFailed}, StorageFailed + 1: {"unknown", verdict.StorageUnknown},
	} {
		if s := Storage(s); s.String() != want.word || s.evidence() != want.evidence {
			t.Errorf("storage %d is %q, and %v to the judge; want %q and %v", s, s, s.evidence(), want.word, want.evidence)
		}
	}
}
