package node

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// A proxy that answers first does not hide the peer that answers as well.
func TestProxyDoesNotHideThePeer(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A", lone(100, 0)), w.add("B", lone(50, 0))
	w.lans["p3p1"].proxy = MAC{2, 0xee, 1}
	a.start()
	b.start()
	w.run(20 * time.Second)
	w.cut()
	w.run(20 * time.Second)
	w.want("B holds back", a.serves() && b.bare() && b.changes() == 0)
}

// Whoever answers a broadcast first does not answer for the others, a station
// answers a question once, and a unicast is answered by whom it was put to.
func TestAnswersBelongToQuestions(t *testing.T) {
	quick, slow := MAC{2, 1}, MAC{2, 2}
	x := &target{pending: []pending{{form: broadcast, at: 10}, {form: unicast, to: slow, at: 20}}}
	for _, c := range []struct {
		mac  MAC
		form form
		ok   bool
	}{
		{quick, broadcast, true}, {slow, broadcast, true}, {quick, 0, false}, {slow, unicast, true}, {slow, 0, false},
	} {
		if q, _, ok := x.match(30, c.mac); ok != c.ok || q.form != c.form {
			t.Errorf("%v: an answer to %v (%v), want %v (%v)", c.mac, q.form, ok, c.form, c.ok)
		}
	}
	if _, _, ok := x.match(vrrp.Instant(time.Second), MAC{2, 3}); ok {
		t.Error("an answer a second late belongs to no question")
	}
}

// A survivor is not driven away by a fabric that answers broadcasts for the
// dead peer from its cache.
func TestCacheDoesNotDriveTheSurvivorAway(t *testing.T) {
	w, a, b := newStory(t)
	for k, p := range ports {
		w.lans[p].cache = map[netip.Addr]MAC{story(1).VIPs[k].Prefix.Addr(): a.macs[p]}
	}
	w.run(40 * time.Second)
	w.powerOff(a)
	w.until("B serves", time.Second, b.serves)
	moves := len(b.moves)
	w.run(2 * time.Minute)
	w.want("B serves on", b.serves() && len(b.moves) == moves)
}

// A stranger who answers in one place does not make two out of one answer: an
// old MASTER goes only where the peer answers on every port.
func TestOnlyThePeersAnswersDriveAMasterAway(t *testing.T) {
	w, a, b := newStory(t)
	w.run(30 * time.Second)
	_ = b
	peer := b.macs["p3p1"]
	i := a.n.instances[0]
	a.n.byName["p3p1"].addPeer(peer)
	a.n.byName["p3p2"].addPeer(MAC{2, 'B', 2})
	a.n.byName["p1p1"].addPeer(MAC{2, 'B', 3})
	a.onAsk = func(q Ask) { // the peer answers on one port, a printer on another, nobody on the third
		if !a.n.isVIP(q.Target) || q.Port == "p1p1" {
			return
		}
		mac := MAC{2, 0xdd, q.Port[1], q.Port[3]}
		if q.Port == "p3p1" {
			mac = peer
		}
		if q.To == (MAC{}) || q.To == mac {
			w.at(2*flight, func() { a.tell(Heard{Port: q.Port, Op: Reply, Sender: q.Target, MAC: mac, Target: q.Sender}) })
		}
	}
	a.tell(Heard{Port: "p3p1", Op: Gratuitous, Sender: netip.MustParseAddr("192.168.10.1"), MAC: peer})
	w.want("A asks", i.mastery.contested)
	w.run(20 * time.Second)
	w.want("A defends", a.is(vrrp.Master) && a.serves() && a.changes() == 1)
}

func TestVerdictOfAContestEndsWithIt(t *testing.T) {
	w, a, _ := newStory(t)
	w.run(30 * time.Second)
	for range 3 {
		a.tell(Heard{Port: "p3p1", Op: Gratuitous, Sender: netip.MustParseAddr("192.168.10.1"), MAC: MAC{2, 0xdd, 1}})
		w.run(time.Second)
	}
	w.want("a stranger is an alarm", a.rule() == verdict.MasterStranger)
	w.run(time.Minute)
	w.want("that ends", a.rule() != verdict.MasterStranger)
}

// A peer whose box was replaced is learnt again.
func TestReplacedPeerIsLearntAgain(t *testing.T) {
	w, a, b := newStory(t)
	w.powerOff(a)
	w.until("B serves", time.Second, b.serves)
	w.run(time.Minute)
	for p, mac := range a.macs {
		a.macs[p] = MAC{2, 'Z', mac[2]}
	}
	w.powerOn(a)
	w.run(time.Minute)
	w.want("A serves", a.serves() && b.bare())
	w.cut()
	w.run(30 * time.Second)
	w.want("and is known for what it is", b.bare() && b.rule() == verdict.BackupContested)
}

// Somebody who asks for our address, and be it under a hundred names, does not
// make the peer a stranger.
func TestProbesDoNotMakeThePeerAStranger(t *testing.T) {
	w, a, b := newStory(t)
	for k := range byte(100) {
		for n, p := range ports {
			b.tell(Heard{Port: p, Op: Request, Sender: netip.IPv4Unspecified(), MAC: MAC{2, 0xcc, k}, Target: story(1).VIPs[n].Prefix.Addr()})
		}
	}
	w.cut()
	w.run(20 * time.Second)
	w.want("B holds back", a.serves() && b.bare() && b.changes() == 0)
}

// Stations that were overheard once and are gone give way to others.
func TestWitnessesThatAreGoneAreReplaced(t *testing.T) {
	bare := func(i *Instance) { i.Witnesses = nil }
	w := newPair(t)
	w.quiet = true
	a, b := w.add("A", with(100, bare)).start(), w.add("B", with(50, bare)).start()
	for k := range byte(20) {
		for n, p := range ports {
			from := story(1).VIPs[n].Prefix.Addr().As4()
			from[3] = 100 + k
			b.tell(Heard{Port: p, Op: Gratuitous, Sender: netip.AddrFrom4(from), MAC: MAC{2, 0xcc, k}, Target: netip.AddrFrom4(from)})
		}
	}
	w.run(5 * time.Minute)
	w.quiet = false
	for range 20 { // a gateway that speaks now and then
		for n, p := range ports {
			l := w.lans[p]
			b.tell(Heard{Port: p, Op: Request, Sender: l.gateway, MAC: l.mac, Target: story(1).VIPs[n].Prefix.Addr().Next()})
		}
		w.run(10 * time.Second)
	}
	w.powerOff(a)
	took := w.until("B serves", 5*time.Second, b.serves)
	if took > 100*time.Millisecond {
		t.Errorf("B served after %v, without a witness", took)
	}
}

func TestStrangerIsAnAlarm(t *testing.T) {
	w, _, b := newStory(t)
	w.lans["p3p1"].gateway2 = netip.MustParseAddr("192.168.10.1")
	w.run(5 * time.Minute)
	alarms := 0
	for _, n := range b.notes {
		if n.Level == Alarm && strings.Contains(n.Text, "02:ff:00") {
			alarms++
		}
	}
	if alarms != 1 {
		t.Errorf("%d alarms about the stranger", alarms)
	}
}
