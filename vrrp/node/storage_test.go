package node

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// disk tells a brain how the storage under it does.
func (b *box) disk(s Storage) {
	culprit := ""
	if s != StorageHealthy {
		culprit = "sda: no read has completed for 8s"
	}
	b.tell(StorageRead{State: s, Culprit: culprit})
}

// told counts the notes that contain a text.
func (b *box) told(text string) int {
	k := 0
	for _, x := range b.notes {
		if strings.Contains(x.Text, text) {
			k++
		}
	}
	return k
}

// housed gives every port of both routers an address in its subnet, as most LANs have them: questions are then asked from
// there, as every host asks.
func housed(w *pair) {
	for _, b := range w.box {
		b.houses = true
	}
}

// The MASTER whose storage fails hands over to the peer, which takes over within its skew, and takes the mastership back when its
// storage is healthy again.
func TestFailedStorageResignsToThePeer(t *testing.T) {
	for _, houses := range []bool{false, true} {
		w, a, b := newStory(t)
		if houses {
			housed(w)
			a.tell(a.read())
			b.tell(b.read())
			w.run(time.Minute) // B's control has to be heard for longer than a host's at boot
		}
		w.run(20 * time.Second)
		a.disk(StorageFailed)
		took := w.until("B serves", 5*time.Second, b.serves)
		if limit := 820 * time.Millisecond; took > limit {
			t.Errorf("houses %v: B served after %v, want at most %v", houses, took, limit)
		}
		w.want("A resigned by its rule", a.moves[len(a.moves)-1].Verdict.Rule == verdict.StorageResign && a.bare())
		w.want("and the status says so", a.n.Status().Storage.Resigned && a.n.Status().Storage.State == StorageFailed)
		w.run(5 * time.Minute)
		w.want("A stands by although it has the higher priority", b.serves() && a.is(vrrp.Backup) && a.told("degraded") == 1)
		a.disk(StorageHealthy)
		w.until("A serves again", 10*time.Second, a.serves)
		w.want("A may resign again", !a.n.Status().Storage.Resigned)
	}
}

// Storage that is slow, or of which nothing is known, is no reason to do anything.
func TestSlowStorageOnlyWarns(t *testing.T) {
	w, a, _ := newStory(t)
	w.run(20 * time.Second)
	moves := len(a.moves)
	for _, s := range []Storage{StorageSlow, StorageUnknown, StorageHealthy} {
		a.disk(s)
		w.run(time.Minute)
		w.want("A serves on", a.serves() && len(a.moves) == moves && a.told("degraded") == 0)
	}
	w.want("it said that storage was slow, once", a.told("storage is slow") == 1)
}

// Who has nobody to resign to serves on, and says once that it is degraded: a peer that is dead, one that asks no questions
// (keepalived), a policy that forbids it, an owner who would preempt its heir.
func TestFailedStorageServesOn(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		then func(w *pair, b *box)
		rule verdict.Rule
	}{
		{"the peer is dead", Config{}, func(w *pair, b *box) { w.powerOff(b) }, verdict.StorageAlone},
		{"the peer asks no questions", Config{}, func(_ *pair, b *box) { b.paused = true }, verdict.StorageAlone},
		{"storage_yield off", Config{Storage: StoragePolicy{Keep: true}}, func(*pair, *box) {}, verdict.StorageKept},
		{"owner", Config{Instances: []Instance{story(255)}}, func(*pair, *box) {}, verdict.StorageKept},
	} {
		w := newPair(t)
		a, b := w.add("A", story(100)), w.add("B", story(50))
		if c.cfg.Instances != nil {
			a.cfg.Instances = c.cfg.Instances
		}
		a.cfg.Storage = c.cfg.Storage
		a.start()
		b.start()
		w.run(15 * time.Second)
		c.then(w, b)
		w.run(askedLately + time.Second)
		moves := len(a.moves)
		a.disk(StorageFailed)
		w.run(spell(10 * time.Minute))
		w.want(c.name+": A serves on", a.serves() && len(a.moves) == moves)
		w.want(c.name+": it says once that it is degraded, and why", a.told("degraded") == 1 && a.told(c.rule.String()) == 1)
	}
}

// A peer that comes back after the storage failed is resigned to as soon as it is heard to ask.
func TestFailedStorageWaitsForAPeer(t *testing.T) {
	w, a, b := newStory(t)
	b.paused = true
	w.run(askedLately + time.Second)
	a.disk(StorageFailed)
	w.run(time.Minute)
	w.want("A serves", a.serves())
	b.paused = false
	b.tell(Expired{})
	took := w.until("B serves", time.Minute, b.serves)
	if took > askedLately {
		t.Errorf("B served %v after it was back", took)
	}
}

// Where the peer's storage fails as well one of them serves at every moment but the handovers, and soon nothing moves any more.
func TestBothStoragesFailed(t *testing.T) {
	for _, apart := range []time.Duration{0, 100 * time.Millisecond, 3 * time.Second, 20 * time.Second, 2 * time.Minute} {
		w, a, b := newStory(t)
		w.run(20 * time.Second)
		a.disk(StorageFailed)
		w.run(apart)
		b.disk(StorageFailed)
		w.run(5 * time.Minute)
		moves := len(a.moves) + len(b.moves)
		w.want("one of them serves", a.serves() != b.serves() && a.bare() != b.bare())
		if moves > 4+2*4 { // what the start took, and there and back for each of them
			t.Errorf("%v apart: %d transitions\n%s", apart, moves, strings.Join(w.log, "\n"))
		}
		w.run(spell(10 * time.Minute))
		w.want("nothing moves any more", len(a.moves)+len(b.moves) == moves)
	}
}

// Resigned, and nobody came: it serves again after a master-down interval, whatever fault_prior says, and does not resign again.
func TestResignedToNobody(t *testing.T) {
	for _, prior := range []Prior{PriorServe, PriorYield, PriorIncumbent} {
		w := newPair(t)
		a, b := w.add("A", with(100, func(i *Instance) { i.Prior = prior })), w.add("B", story(50))
		b.start()
		w.run(15 * time.Second)
		w.want("B serves first, so that A knows another MASTER", b.serves())
		a.start()
		w.run(time.Minute)
		w.want("A has preempted", a.serves())
		b.dead = true
		a.disk(StorageFailed)
		w.want("A resigned", a.is(vrrp.Backup))
		took := w.until("A serves again", 10*time.Second, a.serves)
		if limit := 3610*time.Millisecond + 400*time.Millisecond; took > limit {
			t.Errorf("prior %v: nobody served for %v, want at most %v", prior, took, limit)
		}
		w.run(spell(10 * time.Minute))
		w.want("A serves on", a.serves() && a.told(verdict.StorageSpent.String()) == 1)
	}
}

// Where adverts are fast the master-down interval is over before the peer has asked twice: a kernel that takes its time to let go of
// the addresses answers the first question, and the second is what the peer takes over by.
func TestResignsThroughASlowKernel(t *testing.T) {
	fast := func(i *Instance) {
		i.VRRP.Version, i.VRRP.Interval, i.VRRP.Auth = vrrp.V3, 100*time.Millisecond, vrrp.AuthNone
	}
	w := newPair(t)
	a, b := w.add("A", with(100, fast)), w.add("B", with(50, fast))
	a.start()
	b.start()
	w.run(20 * time.Second)
	w.want("A serves", a.serves())
	a.slow = 150 * time.Millisecond
	a.disk(StorageFailed)
	took := w.until("B serves", 10*time.Second, b.serves)
	if took > resignedFor {
		t.Errorf("B served after %v, want at most %v", took, resignedFor)
	}
	moves := len(a.moves)
	w.run(time.Minute)
	w.want("A stands by", b.serves() && len(a.moves) == moves)
}

// Once another has served for a minute it may be resigned to again, after the same failure.
func TestResignsAgainToWhoHasServed(t *testing.T) {
	w, a, b := newStory(t)
	w.run(20 * time.Second)
	a.disk(StorageFailed)
	w.run(2 * time.Minute)
	w.want("B serves", b.serves())
	b.disk(StorageFailed)
	w.run(time.Minute)
	w.want("B resigned to A, which resigned again because B had served for long, to B, which serves", b.serves() && b.n.Status().Storage.Resigned)
}

// A BACKUP with failed storage takes over where nobody serves, at the deadline and not before.
func TestFailedStorageTakesOverAtTheDeadline(t *testing.T) {
	w, a, b := newStory(t)
	b.disk(StorageFailed)
	w.run(20 * time.Second)
	w.powerOff(a)
	took := w.until("B serves", 10*time.Second, b.serves)
	if least, most := 2500*time.Millisecond, 3900*time.Millisecond; took < least || took > most {
		t.Errorf("B served after %v, want between %v and %v", took, least, most)
	}
	if got := b.moves[len(b.moves)-1].Verdict.Rule; got != verdict.BackupStorage {
		t.Errorf("rule %v, want %v", got, verdict.BackupStorage)
	}
	moves := len(b.moves)
	w.run(10 * time.Minute)
	w.want("B serves on: who asked while A lived may have been A", b.serves() && len(b.moves) == moves)
}

// A router with failed storage preempts nobody but half a service, also when it fails while a preemption is under way, and the
// reload keeps that.
func TestFailedStoragePreemptsNobody(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A", story(100)), w.add("B", story(50))
	b.start()
	w.run(15 * time.Second)
	a.start()
	a.disk(StorageFailed)
	w.run(5 * time.Minute)
	w.want("B serves on", b.serves() && a.is(vrrp.Backup))
	a.tell(Reload{Config: a.cfg})
	w.run(time.Minute)
	w.want("B serves on after a reload", b.serves() && a.is(vrrp.Backup))
	b.link("p3p1", false)
	w.until("half of B's service gives way", time.Minute, a.serves)
}

// A group resigns as one, and takes no second turn member by member.
func TestFailedStorageOfAGroup(t *testing.T) {
	w, a, b := boot(t, group2(100), group2(50))
	w.run(20 * time.Second)
	a.disk(StorageFailed)
	took := w.until("B serves everything", 5*time.Second, b.serves)
	if limit := 820 * time.Millisecond; took > limit {
		t.Errorf("B served everything after %v, want at most %v", took, limit)
	}
	for _, i := range a.n.instances {
		w.want("each of A's members has resigned", i.retiring.spent)
	}
	w.run(30 * time.Second)
	w.want("A stands by as a whole", a.bare() && a.is(vrrp.Backup))
	b.dead = true
	w.until("A serves everything again", 20*time.Second, a.serves)
	moves := len(a.moves)
	w.run(time.Minute)
	w.want("and nothing moves", len(a.moves) == moves)
}

// The reset of the host is asked for once, after the time that the operator set, and only while another serves.
func TestFence(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A", story(100)), w.add("B", story(50))
	a.cfg.Storage.Fence = 30 * time.Second
	fences := 0
	a.onStep = func(_ Event, actions []Action) {
		for _, x := range actions {
			if _, is := x.(Fence); is {
				fences++
			}
		}
	}
	a.start()
	b.start()
	w.run(35 * time.Second)
	a.disk(StorageFailed)
	begin := w.now
	w.until("the reset is asked for", time.Minute, func() bool { return fences > 0 })
	if took := w.now.Sub(begin); took < 30*time.Second || took > 30*time.Second+10*time.Millisecond {
		t.Errorf("asked for after %v", took)
	}
	w.run(10 * time.Minute)
	w.want("once", fences == 1)
	b.dead = true
	w.until("A serves", 20*time.Second, a.serves)
	a.disk(StorageHealthy)
	a.disk(StorageFailed)
	w.run(10 * time.Minute)
	w.want("never while nobody else serves", fences == 1)
}

// What counts as a question of the peer: one from no address, one of a known peer, and one of a station that goes on asking for
// its own address; not one of a host, nor of one that has just booted, nor of ourselves.
func TestWhoseQuestionIsAPeers(t *testing.T) {
	host, own := MAC{2, 'H'}, netip.MustParseAddr("192.168.10.7")
	vip, other := netip.MustParseAddr("192.168.10.1"), netip.MustParseAddr("192.168.10.9")
	request := func(from netip.Addr, mac MAC, target netip.Addr) Heard {
		return Heard{Port: "p3p1", Op: Request, Sender: from, MAC: mac, Target: target}
	}
	type said struct {
		at time.Duration
		Heard
	}
	none := netip.IPv4Unspecified()
	for _, c := range []struct {
		name string
		said []said
		want bool
	}{
		{"from no address", []said{{0, request(none, host, vip)}}, true},
		{"for another address", []said{{0, request(none, host, other)}}, false},
		{"a host", []said{{0, request(own, host, vip)}}, false},
		{"a known peer", []said{{0, request(own, MAC{2, 'P'}, vip)}}, true},
		{"a host that boots", []said{{0, request(none, host, own)}, {7 * time.Second, request(none, host, own)}, {8 * time.Second, request(own, host, vip)}}, false},
		{"a router with its control", []said{{0, request(none, host, own)}, {25 * time.Second, request(none, host, own)}, {30 * time.Second, request(own, host, vip)}}, true},
		{"another's control", []said{{0, request(none, host, own)}, {25 * time.Second, request(none, host, own)}, {30 * time.Second, request(other, host, vip)}}, false},
		{"a control of old", []said{{0, request(none, host, own)}, {25 * time.Second, request(none, host, own)}, {25*time.Second + probeMemory + 1, request(own, host, vip)}}, false},
		{"no question", []said{{0, Heard{Port: "p3p1", Op: Gratuitous, Sender: none, MAC: host, Target: vip}}}, false},
		{"from nobody", []said{{0, request(none, MAC{}, vip)}}, false},
	} {
		n, i := serving(t, story(100))
		p := n.byName["p3p1"]
		p.addPeer(MAC{2, 'P'})
		begin := n.now
		for _, s := range c.said {
			n.now = begin.Add(s.at)
			n.noteAsker(p, s.Heard)
		}
		if got := i.heart.asked.ok; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// A hundred stations that ask from nowhere push nobody out while he is remembered, and are forgotten.
func TestProbersAreBounded(t *testing.T) {
	p := newPort("p3p1")
	first, a := MAC{1}, netip.MustParseAddr("192.168.10.7")
	p.addProber(0, first, a)
	for k := range 100 {
		p.addProber(vrrp.Instant(k), MAC{2, byte(k)}, a)
	}
	if len(p.probers) != maxProbers || p.probers[0].mac != first {
		t.Errorf("%d are remembered, the first %v", len(p.probers), p.probers[0].mac)
	}
	p.addProber(vrrp.Instant(probeMemory)+200, MAC{3}, a)
	if len(p.probers) != 1 {
		t.Errorf("%d are remembered for ever", len(p.probers))
	}
}

// A port whose driver has lost its device keeps its carrier, and is a fault all the same; one without carrier is judged by what it
// knows of its partner.
func TestFactsOfAPort(t *testing.T) {
	for _, c := range []struct {
		name    string
		carrier Carrier
		facts   []verdict.Fact
		link    verdict.Link
		powered bool
		culprit string
	}{
		{"well", CarrierUp, nil, verdict.LinkUp, false, ""},
		{"detached with carrier", CarrierUp, []verdict.Fact{verdict.FactDetached}, verdict.LinkBroken, false, "p3p1: its driver has lost the device"},
		{"cage empty", CarrierDown, []verdict.Fact{verdict.FactCageEmpty}, verdict.LinkBroken, false, "p3p1: cage empty"},
		{"a fact of the past", CarrierUp, []verdict.Fact{verdict.FactCageEmpty, verdict.FactTransmitHung}, verdict.LinkUp, false, ""},
		{"remote fault", CarrierDown, []verdict.Fact{verdict.FactRemoteFault}, verdict.LinkDown, true, "p3p1: no carrier"},
		{"asleep", CarrierDown, []verdict.Fact{verdict.FactPartnerAbilities, verdict.FactPartnerAsleep}, verdict.LinkDown, false, "p3p1: no carrier"},
		{"power behind a link that is up", CarrierUp, []verdict.Fact{verdict.FactPartnerAbilities}, verdict.LinkUp, false, ""},
		{"nobody there", CarrierDown, []verdict.Fact{verdict.FactNoPartner}, verdict.LinkDown, false, "p3p1: no carrier"},
		{"our fault beside its power", CarrierDown, []verdict.Fact{verdict.FactModuleFault, verdict.FactRemoteFault}, verdict.LinkBroken, false, "p3p1: module broken"},
	} {
		p := newPort("p3p1")
		p.known, p.state = true, PortState{Present: true, AdminUp: true, Carrier: c.carrier, Facts: verdict.Facts(0).With(c.facts...)}
		if p.link() != c.link || p.powered() != c.powered || p.culprit() != c.culprit {
			t.Errorf("%s: %v, powered %v, %q", c.name, p.link(), p.powered(), p.culprit())
		}
		f, faulty := p.fault()
		if faulty == p.up() || faulty && f.Culprit != c.culprit || (f.Cause == CauseHardware) != (c.link == verdict.LinkBroken) {
			t.Errorf("%s: fault %v %+v", c.name, faulty, f)
		}
	}
}

// A BACKUP that sees power at the other end of the dark cable does not call its peer dead, and serves at the deadline all the same.
func TestPowerAtTheOtherEndIsNoDeath(t *testing.T) {
	w, a, b := newStory(t)
	b.facts = map[Port]verdict.Facts{cable: verdict.Facts(0).With(verdict.FactRemoteFault)}
	b.tell(b.read())
	a.paused, a.mum = true, true // its kernel hangs, its ports keep their power
	w.cut()
	w.run(time.Second)
	w.want("B waits", b.is(vrrp.Backup) && b.rule() == verdict.BackupUnproven)
	took := w.until("B serves", 10*time.Second, b.serves)
	if took > 3*time.Second {
		t.Errorf("B served after another %v", took)
	}
}

// Serving ports that are proved broken are a fault with the card as its culprit, whatever their carrier says.
func TestCardWithoutAVoice(t *testing.T) {
	w, a, b := newStory(t)
	a.facts = map[Port]verdict.Facts{}
	for _, p := range ports {
		a.facts[p] = verdict.Facts(0).With(verdict.FactCardSilent)
	}
	a.tell(a.read())
	took := w.until("B serves", 5*time.Second, b.serves)
	w.want("A says which port, and why", a.is(vrrp.Fault) && slices.ContainsFunc(a.n.Status().Instances[0].Faults, func(f Fault) bool {
		return f.Cause == CauseHardware && f.Culprit == "p3p1: its card does not answer on the PCI bus"
	}))
	if took > 900*time.Millisecond {
		t.Errorf("B served after %v", took)
	}
}
