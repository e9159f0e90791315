package node

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// with changes the story's instance.
func with(priority uint8, change func(*Instance)) Instance {
	i := story(priority)
	change(&i)
	return i
}

func TestNopreemptLeavesTheIncumbent(t *testing.T) {
	w := newPair(t)
	nopreempt := func(i *Instance) { i.VRRP.Preempt = false }
	a, b := w.add("A", with(100, nopreempt)), w.add("B", with(50, nopreempt))
	b.start()
	w.run(8 * time.Second)
	w.want("B is MASTER", b.serves())
	a.start()
	w.run(time.Minute)
	w.want("B still is", b.serves() && a.bare() && a.is(vrrp.Backup))
}

func TestPreemptionRunsOnTheProtocolsTimer(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A", story(100)), w.add("B", story(50))
	b.start()
	w.run(8 * time.Second)
	a.start()
	took := w.until("A preempts", 10*time.Second, a.serves)
	if want := 3609 * time.Millisecond; took < want || took > want+10*time.Millisecond {
		t.Errorf("preempted after %v, want %v", took, want)
	}
	w.run(time.Second)
	w.want("B yielded", b.bare())
}

func TestMutePortDelaysPreemption(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A", story(100)), w.add("B", story(50))
	b.start()
	w.run(8 * time.Second)
	w.lans["p3p1"].muted[a] = true
	a.start()
	w.run(20 * time.Second)
	w.want("A waits", a.is(vrrp.Backup) && b.serves())
	w.lans["p3p1"].muted[a] = false
	w.until("A preempts", 10*time.Second, a.serves)
}

func TestMutePortDelaysPreemptionForAMinuteOnly(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A", story(100)), w.add("B", story(50))
	b.start()
	w.run(8 * time.Second)
	w.lans["p3p1"].muted[a] = true
	a.start()
	took := w.until("A preempts", 90*time.Second, a.serves)
	if took < muteLimit || took > muteLimit+5*time.Second {
		t.Errorf("preempted after %v, want a little over %v", took, muteLimit)
	}
}

func TestStrangerDelaysToTheDeadline(t *testing.T) {
	w, a, b := newStory(t)
	w.powerOff(a)
	w.lans["p3p1"].gateway2 = netip.MustParseAddr("192.168.10.1") // a printer with our address
	w.run(50 * time.Millisecond)
	w.want("B waits", b.is(vrrp.Backup) && b.rule() == verdict.BackupPeerDeadWait)
	took := w.until("B serves", 5*time.Second, b.serves)
	if took > 3900*time.Millisecond {
		t.Errorf("B served after %v, want at the master-down deadline", took)
	}
	w.run(30 * time.Second)
	w.want("and defends it", b.serves())
}

func TestProxyIsNeitherPeerNorService(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A", story(100)), w.add("B", story(50))
	w.lans["p3p1"].proxy = MAC{2, 0xee, 1}
	a.start()
	b.start()
	w.run(20 * time.Second)
	w.want("the proxy is known", b.n.byName["p3p1"].isProxy(MAC{2, 0xee, 1}))
	w.want("and not taken for the peer", !b.n.byName["p3p1"].isPeer(MAC{2, 0xee, 1}))
	w.powerOff(a)
	took := w.until("B serves", 5*time.Second, b.serves)
	if took > 100*time.Millisecond {
		t.Errorf("B served after %v", took)
	}
}

func TestSilenceWithoutWitnessWaitsForTheDeadline(t *testing.T) {
	w, a, b := newStory(t)
	w.quiet = true
	w.powerOff(a)
	w.run(2 * time.Second)
	w.want("B waits: nothing shows that it could hear an answer", b.is(vrrp.Backup) && b.rule() == verdict.BackupUnproven)
	took := w.until("B serves", 5*time.Second, b.serves)
	if took > 2*time.Second {
		t.Errorf("B served %v late", took)
	}
}

func TestPriors(t *testing.T) {
	for _, c := range []struct {
		prior  Prior
		serves bool
	}{{PriorServe, true}, {PriorYield, false}, {PriorIncumbent, false}} {
		w := newPair(t)
		prior := func(i *Instance) { i.Prior = c.prior }
		a, b := w.add("A", with(100, prior)), w.add("B", with(50, prior))
		a.start()
		b.start()
		w.run(15 * time.Second)
		w.quiet = true
		w.powerOff(a)
		w.run(30 * time.Second)
		w.want("the prior decides", b.serves() == c.serves)
	}
}

func TestColdPairServesWhateverThePrior(t *testing.T) {
	for _, prior := range []Prior{PriorYield, PriorIncumbent} {
		w := newPair(t)
		w.quiet = true
		a := w.add("A", with(100, func(i *Instance) { i.Prior = prior })).start()
		w.run(12 * time.Second)
		w.want("A serves", a.serves())
	}
}

func TestContestedTakeClaimsAtTheDeadline(t *testing.T) {
	w := newPair(t)
	a := w.add("A", story(100))
	b := w.add("B", with(50, func(i *Instance) { i.Contested = ContestedTake }))
	a.start()
	b.start()
	w.run(15 * time.Second)
	w.cut()
	took := w.until("B claims", 10*time.Second, func() bool { return b.is(vrrp.Master) })
	if took < 2*time.Second || took > 4*time.Second {
		t.Errorf("claimed after %v, want the master-down deadline", took)
	}
	w.run(20 * time.Second)
	w.want("and insists", b.serves())
}

func TestSeveralRoutersWaitForTheDeadline(t *testing.T) {
	w := newPair(t)
	a, b, c := w.add("A", story(100)), w.add("B", story(50)), w.add("C", story(60))
	for _, x := range []*box{a, b, c} {
		x.start()
	}
	w.run(8 * time.Second)
	a.tell(Stop{}) // C serves for a while, so that B has heard two routers
	a.dead = true
	w.run(8 * time.Second)
	w.want("C is MASTER", c.serves())
	w.want("B heard both", len(b.n.byName[cable].routers) == 2)
	w.run(10 * time.Second)
	w.powerOff(c)
	w.run(500 * time.Millisecond)
	w.want("B does not act on carrier alone", b.is(vrrp.Backup))
	w.until("B serves at the deadline", 5*time.Second, b.serves)
}

func TestSplitHealsWithOneSurvivorThatAnnounces(t *testing.T) {
	w, a, b := newStory(t)
	for _, l := range w.lans {
		l.muted[a] = true
	}
	w.cut()
	w.run(time.Minute)
	w.want("both halves are served", a.serves() && b.serves())
	for _, l := range w.lans {
		l.muted[a] = false
	}
	announced := 0
	a.onAnnounce = func(Announce) { announced++ }
	w.run(10 * time.Second)
	w.want("the lower priority went", a.serves() && b.bare())
	w.want("the survivor announced itself", announced > 0)
}

func TestFlappingCarrierRaisesNoDoubt(t *testing.T) {
	w, _, b := newStory(t)
	for range 5 {
		w.cut()
		w.run(300 * time.Millisecond)
		w.join()
		w.run(1500 * time.Millisecond)
	}
	w.want("the port counts as flapping", b.n.byName[cable].flapping(w.now))
	doubts := len(b.notes)
	w.cut()
	w.run(200 * time.Millisecond)
	w.join()
	w.run(time.Second)
	w.want("no doubt was raised", len(b.notes) == doubts && !b.n.instances[0].doubt.on)
	w.run(flapWindow)
	w.want("quiet again", !b.n.byName[cable].flapping(w.now))
}

func TestStuckKernelIsAFault(t *testing.T) {
	w := newPair(t)
	a := w.add("A", story(100))
	a.slow = time.Hour
	a.start()
	w.run(4 * time.Second)
	w.want("A is MASTER without addresses", a.is(vrrp.Master) && a.bare())
	goodbyes := 0
	a.onAdvert = func(x SendAdvert) {
		if x.Payload[2] == 0 {
			goodbyes++
		}
	}
	w.run(3 * time.Second)
	w.want("A said goodbye and is FAULT", goodbyes == 1 && a.is(vrrp.Fault))
	faults := a.n.Status().Instances[0].Faults
	w.want("and says why", len(faults) == 1 && faults[0].Cause == CauseMutation)
	w.run(time.Minute)
	w.want("and does not claim again while a change is stuck", a.is(vrrp.Fault))
}

func TestSlowKernelIsNoFault(t *testing.T) {
	w := newPair(t)
	a := w.add("A", story(100))
	a.slow = 1500 * time.Millisecond
	a.start()
	w.run(20 * time.Second)
	w.want("A serves", a.serves() && a.changes() == 1)
}

func TestLeaseIsRenewedInTimeForEveryInterval(t *testing.T) {
	for _, interval := range []time.Duration{time.Second, 2 * time.Second, 10 * time.Second, 60 * time.Second} {
		w := newPair(t)
		a := w.add("A", with(100, func(i *Instance) { i.VRRP.Interval = interval })).start()
		w.run(5 * interval)
		for range 200 {
			w.run(interval / 20)
			w.want("A serves without a gap", a.serves())
		}
	}
}

func TestLateRenewalIsFollowedByAnother(t *testing.T) {
	w, a, _ := newStory(t)
	renewals := 0
	a.onRenew = func(Renew) { renewals++ }
	a.tell(Renewed{Key: a.cfg.Instances[0].Key(), Took: 2 * time.Second})
	w.want("renewed at once", renewals == 1)
}

func TestDeletedAddressComesBackWithoutATransition(t *testing.T) {
	w, a, b := newStory(t)
	vip := netip.MustParseAddr("192.168.20.1")
	delete(a.owns, vip)
	a.tell(Deleted{Key: a.cfg.Instances[0].Key()})
	took := w.until("the address is back", time.Second, func() bool { return a.has(vip) })
	if took > 10*time.Millisecond {
		t.Errorf("back after %v", took)
	}
	w.run(10 * time.Second)
	w.want("nobody moved", a.changes() == 1 && b.changes() == 0)
}

func TestReloadTouchesNothingElse(t *testing.T) {
	w, a, b := newStory(t)
	more := with(100, func(i *Instance) {
		i.Name = "renamed"
		p := netip.MustParsePrefix("192.168.10.7/24")
		i.VIPs = append(i.VIPs, VIP{Prefix: p, Port: "p3p1"})
	})
	a.cfg = Config{Instances: []Instance{more}}
	a.tell(Reload{Config: a.cfg})
	w.until("the added address is there", time.Second, func() bool { return a.has(netip.MustParseAddr("192.168.10.7")) })
	w.run(20 * time.Second)
	w.want("nobody moved", a.changes() == 1 && b.changes() == 0 && a.serves())
}

func TestReloadThatRemovesAnInstanceHandsItOver(t *testing.T) {
	w, a, b := newStory(t)
	cfg := a.cfg
	a.tell(Reload{})
	a.cfg = cfg
	took := w.until("B serves", 5*time.Second, b.serves)
	if took > time.Second {
		t.Errorf("handover took %v", took)
	}
}

func TestOwnerAsksBeforeItsFirstAdvert(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A", story(255)), w.add("B", story(50))
	b.start()
	w.run(10 * time.Second)
	w.want("B is MASTER", b.serves())
	b.deaf[cable] = true
	w.run(time.Second)
	a.start()
	w.run(500 * time.Millisecond)
	w.want("the owner holds back", a.is(vrrp.Backup) && a.rule() == verdict.BackupContested)
}

func TestOwnerAloneServesAtOnce(t *testing.T) {
	w := newPair(t)
	a := w.add("A", story(255)).start()
	took := w.until("A serves", 5*time.Second, a.serves)
	if took > 300*time.Millisecond {
		t.Errorf("the owner served after %v", took)
	}
}

// two splits the story's addresses over two instances of one group.
func two(priority uint8) []Instance {
	one, other := story(priority), story(priority)
	other.Name, other.VRRP.VRID = "VI_1", 51
	one.VIPs, other.VIPs = one.VIPs[:1], other.VIPs[1:]
	one.Routes, other.Routes = nil, nil
	return []Instance{one, other}
}

func group2(priority uint8) Config {
	list := two(priority)
	return Config{Instances: list, Groups: []Group{{Name: "G", Members: []Key{list[0].Key(), list[1].Key()}}}}
}

func TestGroupMovesTogether(t *testing.T) {
	w, a, b := boot(t, group2(100), group2(50))
	a.link("p3p1", false) // concerns the first instance only
	w.run(10 * time.Second)
	w.want("B serves both", b.serves() && a.bare() && a.is(vrrp.Fault))
	a.link("p3p1", true)
	w.run(20 * time.Second)
	w.want("A serves both again", a.serves() && b.bare())
	w.powerOff(a)
	took := w.until("B serves both", 5*time.Second, b.serves)
	if took > 100*time.Millisecond {
		t.Errorf("took %v", took)
	}
}

func TestGroupIsHeldByOneContestedMember(t *testing.T) {
	w, a, b := boot(t, group2(100), group2(50))
	w.lans["p3p2"].muted[a] = true
	w.lans["p1p1"].muted[a] = true
	w.cut()
	w.run(30 * time.Second)
	w.want("B holds back for all", b.bare() && b.is(vrrp.Backup))
}

func TestSixthVersion(t *testing.T) {
	six := func(priority uint8) Instance {
		i := story(priority)
		i.VRRP = vrrp.Params{VRID: 50, Family: vrrp.IPv6, Version: vrrp.V3, Priority: priority, Interval: time.Second, Preempt: true}
		i.VIPs, i.Witnesses, i.Routes = nil, nil, nil
		for k, p := range ports {
			v := netip.MustParsePrefix([]string{"2001:db8:1::1/64", "2001:db8:2::1/64", "2001:db8:3::1/64"}[k])
			i.VIPs = append(i.VIPs, VIP{Prefix: v, Port: p})
			i.VRRP.Addresses = append(i.VRRP.Addresses, v.Addr())
			i.Witnesses = append(i.Witnesses, Witness{Addr: v.Masked().Addr().Next().Next().Next()})
		}
		i.VRRP.Addresses = append([]netip.Addr{netip.MustParseAddr("fe80::50")}, i.VRRP.Addresses...)
		return i
	}
	w := newPair(t)
	for k, p := range ports {
		w.lans[p].gateway = six(1).Witnesses[k].Addr
	}
	a, b := w.add("A", six(100)).start(), w.add("B", six(50)).start()
	w.run(20 * time.Second)
	w.want("A serves", a.serves() && b.bare())
	w.cut()
	w.run(20 * time.Second)
	w.want("the cable decides nothing", a.serves() && b.bare() && b.rule() == verdict.BackupContested)
	w.join()
	w.run(20 * time.Second)
	w.powerOff(a)
	took := w.until("B serves", 5*time.Second, b.serves)
	if took > 100*time.Millisecond {
		t.Errorf("B served after %v", took)
	}
}

// TestDeterminism replays what one brain was told to another.
func TestDeterminism(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A", story(100)), w.add("B", story(50))
	type told struct {
		at vrrp.Instant
		e  Event
	}
	var tape []told
	var said [][]Action
	b.onStep = func(e Event, out []Action) { tape, said = append(tape, told{w.now, e}), append(said, out) }
	born := w.now
	a.start()
	b.start()
	w.run(20 * time.Second)
	w.cut()
	w.run(5 * time.Second)
	w.powerOff(a)
	w.run(20 * time.Second)
	again := New(born, b.cfg)
	for k, x := range tape {
		if out := again.Step(x.at, x.e); !reflect.DeepEqual(out, said[k]) {
			t.Fatalf("step %d at %v, %T: %v, then %v", k, x.at, x.e, said[k], out)
		}
	}
}

func TestRefusedRouteIsNoFault(t *testing.T) {
	w, a, _ := newStory(t)
	k := a.cfg.Instances[0].Key()
	a.tell(Deleted{Key: k})
	for range 5 {
		a.tell(Installed{Key: k, Serving: true, Err: "route 198.51.100.0/24: network is unreachable"})
	}
	w.run(10 * time.Second)
	w.want("A serves on", a.serves() && a.is(vrrp.Master))
	alarms := 0
	for _, n := range a.notes {
		if strings.Contains(n.Text, "unreachable") {
			alarms++
		}
	}
	w.want("and said it once", alarms == 1)
}

func TestRefusedAddressRestsBeforeAnotherTry(t *testing.T) {
	w := newPair(t)
	a := w.add("A", story(100))
	a.refuse = "permission denied"
	a.start()
	w.run(20 * time.Second)
	w.want("A is FAULT", a.is(vrrp.Fault))
	moves := len(a.moves)
	w.run(10 * time.Second)
	w.want("and rests", len(a.moves) == moves)
	a.refuse = ""
	w.run(40 * time.Second)
	w.want("then serves", a.serves() && a.is(vrrp.Master))
}

// A peer that serves behind a cut cable and stumbles for less than two bursts
// is not taken for dead; one that stays silent is, soon.
func TestStumbleBehindACutCable(t *testing.T) {
	w, a, b := newStory(t)
	w.cut()
	w.run(10*time.Second + 615*time.Millisecond)
	for range 400 { // a pause at every phase of the questions and of the master-down deadlines
		for _, l := range w.lans {
			l.muted[a] = true
		}
		w.run(18 * time.Millisecond)
		for _, l := range w.lans {
			l.muted[a] = false
		}
		w.run(967 * time.Millisecond)
		w.want("B waits", b.changes() == 0)
	}
	w.want("A serves, undisturbed", a.serves() && a.changes() == 1)
}

func TestAnswerOfAnotherPortOfThisHostIsOurs(t *testing.T) {
	w, a, b := newStory(t)
	spare := MAC{2, 'B', 0x99}
	b.tell(PortsRead{Own: []MAC{spare}})
	w.lans["p3p1"].proxy = spare // a cable from this host back to itself
	w.powerOff(a)
	took := w.until("B serves", 5*time.Second, b.serves)
	if took > 100*time.Millisecond {
		t.Errorf("B served after %v", took)
	}
	w.run(20 * time.Second)
	w.want("and has no rival", b.changes() == 1)
}

// TestDroppedAdvertsAreSpokenOf has a peer with another password: each router becomes MASTER, and says once why.
func TestDroppedAdvertsAreSpokenOf(t *testing.T) {
	w := newPair(t)
	other := story(50)
	other.VRRP.Password = [8]byte{'o', 't', 'h', 'e', 'r'}
	a, b := w.add("A", story(100)).start(), w.add("B", other).start()
	w.run(30 * time.Second)
	for _, x := range []*box{a, b} {
		said := 0
		for _, note := range x.notes {
			if strings.Contains(note.Text, `fails the check "password"`) {
				said++
			}
		}
		if drops := x.n.Status().Instances[0].Counters[vrrp.CheckPassword]; x.is(vrrp.Master) && said != 1 && drops > 1 {
			t.Errorf("%s said %d times that it dropped %d adverts, want once", x.name, said, drops)
		}
	}
	w.want("somebody spoke", len(a.notes)+len(b.notes) > 0)
}

func TestLastMasterMayLetGoSlowly(t *testing.T) {
	for _, c := range []struct {
		after time.Duration
		moved bool
	}{{5 * time.Millisecond, false}, {200 * time.Millisecond, true}} {
		w, a, b := newStory(t)
		a.tell(Stop{})
		w.until("B serves", 5*time.Second, b.serves)
		w.run(c.after)
		v := netip.MustParseAddr("192.168.10.1")
		b.tell(Heard{Port: "p3p1", Op: Gratuitous, Sender: v, MAC: a.macs["p3p1"], Target: v})
		w.run(100 * time.Millisecond)
		w.want("a rival is believed once the handover is over", b.is(vrrp.Backup) == c.moved)
	}
}
