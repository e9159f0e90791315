package hwtest_test

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"standfast/hw/hwtest"
)

func TestMain(m *testing.M) { os.Exit(hwtest.Main(m.Run)) }

const patience = 10 * time.Second // for what happens within milliseconds on an idle machine

var (
	gateway = netip.MustParsePrefix("192.168.10.254/24")
	client  = netip.MustParsePrefix("192.168.10.100/24")
	vip     = netip.MustParsePrefix("192.168.10.1/24")
)

// A bed is two routers with a cable and a LAN between them, and a host on the LAN.
type bed struct {
	lab    *hwtest.Lab
	a, b   *hwtest.Router
	cable  *hwtest.Link
	lan    *hwtest.Switch
	client *hwtest.Host
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{lab: hwtest.New(t)}
	var err error
	b.a, err = b.lab.Router("a")
	check(t, err)
	b.b, err = b.lab.Router("b")
	check(t, err)
	b.cable, err = b.lab.Cable(b.a, "p4p1", b.b, "p4p1")
	check(t, err)
	b.lan, err = b.lab.Switch("lan")
	check(t, err)
	check(t, b.lan.AddGateway(gateway))
	for i, r := range []*hwtest.Router{b.a, b.b} {
		_, err := b.lan.Connect(r, "p3p1")
		check(t, err)
		check(t, r.Port("p4p1").AddAddress(netip.MustParsePrefix(fmt.Sprintf("10.255.0.%d/30", i+1))))
	}
	b.client, err = b.lan.Host("client", client)
	check(t, err)
	return b
}

// watch watches a router's kernel until the test ends.
func watch(t *testing.T, r *hwtest.Router) *hwtest.Events {
	t.Helper()
	events, err := r.Namespace().Watch()
	check(t, err)
	t.Cleanup(func() {
		if err := events.Close(); err != nil {
			t.Error(err)
		}
	})
	return events
}

// carrier matches the announcement of a port's carrier.
func carrier(p *hwtest.Port, up bool) func(hwtest.Event) bool {
	index := p.Index()
	return func(e hwtest.Event) bool { return e.Kind == hwtest.LinkEvent && e.Index == index && e.Carrier == up }
}

// settle waits until no carrier event has come for longer than the kernel holds one back.
func settle(t *testing.T, events *hwtest.Events) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		_, err := events.Await(time.Now(), 1200*time.Millisecond, func(e hwtest.Event) bool { return e.Kind == hwtest.LinkEvent })
		if err != nil {
			return
		}
	}
	t.Fatal("link events do not end")
}

func sniff(t *testing.T, h *hwtest.Host) *hwtest.Sniffer {
	t.Helper()
	s, err := h.Sniff()
	check(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// answered asks for an address each 2 ms for up to the given time and returns the first answer. It waits for the answers to its
// other questions too, so that what is heard afterwards answers a later question.
func answered(t *testing.T, s *hwtest.Sniffer, addr netip.Addr, within time.Duration) (hwtest.ARP, bool) {
	t.Helper()
	s.Take()
	var answers []hwtest.ARP
	asked := 0
	take := func() {
		for _, m := range s.Take() {
			if m.Reply && m.Sender == addr {
				answers = append(answers, m)
			}
		}
	}
	for deadline := time.Now().Add(within); len(answers) == 0 && time.Now().Before(deadline); take() {
		check(t, s.Ask(addr))
		asked++
		time.Sleep(2 * time.Millisecond)
	}
	if len(answers) == 0 {
		return hwtest.ARP{}, false
	}
	for deadline := time.Now().Add(overdue); len(answers) < asked && time.Now().Before(deadline); take() {
		time.Sleep(time.Millisecond)
	}
	return answers[0], true
}

const overdue = time.Second // an answer that has not come by then is lost

const brief = 150 * time.Millisecond // how long a silence is listened to

func TestCarrierIsReal(t *testing.T) {
	bed := newBed(t)
	events := watch(t, bed.b)
	port := bed.b.Port("p4p1")
	for range 2 {
		start := time.Now()
		check(t, bed.cable.Cut())
		if _, err := events.Await(start, patience, carrier(port, false)); err != nil {
			t.Fatalf("after the cut: %v", err)
		}
		if since := port.SwitchedAt().Sub(start); since < 0 || since > patience {
			t.Errorf("the carrier was switched %v after the start of the cut", since)
		}
		start = time.Now()
		check(t, bed.cable.Mend())
		if _, err := events.Await(start, patience, carrier(port, true)); err != nil {
			t.Fatalf("after the mending: %v", err)
		}
	}
}

// TestBatching proves that the ports show what makes a backup's work hard: the kernel holds back the second loss of carrier.
func TestBatching(t *testing.T) {
	bed := newBed(t)
	events := watch(t, bed.b)
	var held time.Duration
	for range 3 { // a device that goes away anywhere in the kernel makes it announce everything early
		settle(t, events)
		start := time.Now()
		check(t, bed.b.Port("p3p1").Link().Cut())
		_, err := events.Await(start, patience, carrier(bed.b.Port("p3p1"), false))
		check(t, err)
		start = time.Now()
		check(t, bed.cable.Cut())
		late, err := events.Await(start, patience, carrier(bed.b.Port("p4p1"), false))
		check(t, err)
		held = max(held, late.At.Sub(bed.b.Port("p4p1").SwitchedAt()))
		if held > 300*time.Millisecond {
			return
		}
		check(t, bed.cable.Mend())
		check(t, bed.b.Port("p3p1").Link().Mend())
	}
	t.Errorf("the second loss of carrier was held back for %v at most, want up to 1 s", held)
}

func TestOneWay(t *testing.T) {
	bed := newBed(t)
	events := watch(t, bed.b)
	start := time.Now()
	a, b := bed.a.Port("p4p1"), bed.b.Port("p4p1")
	if !reaches(t, a, b, patience) || !reaches(t, b, a, patience) {
		t.Fatal("the cable does not carry")
	}
	check(t, bed.cable.OneWay(a, true))
	if reaches(t, a, b, brief) {
		t.Error("a reaches b over a cable that drops what a sends")
	}
	if !reaches(t, b, a, patience) {
		t.Error("b does not reach a over a cable that drops what a sends")
	}
	if e, err := events.Await(start, 0, carrier(b, false)); err == nil {
		t.Errorf("a one-way cable lost its carrier: %+v", e)
	}
	check(t, bed.cable.OneWay(a, false))
	if !reaches(t, a, b, patience) {
		t.Error("a does not reach b again")
	}
	if err := bed.cable.OneWay(bed.a.Port("p3p1"), true); err == nil {
		t.Error("a port that is not on the cable was accepted")
	}
}

func TestMute(t *testing.T) {
	bed := newBed(t)
	port := bed.a.Port("p3p1")
	check(t, port.AddAddress(vip))
	s := sniff(t, bed.client)
	events := watch(t, bed.a)
	if _, ok := answered(t, s, vip.Addr(), patience); !ok {
		t.Fatal("no answer before")
	}
	start := time.Now()
	port.Link().Mute(time.Hour)
	if m, ok := answered(t, s, vip.Addr(), brief); ok {
		t.Errorf("a mute port answered: %+v", m)
	}
	port.Link().Mute(brief)
	until := time.Now().Add(brief)
	m, ok := answered(t, s, vip.Addr(), patience)
	if !ok || m.At.Before(until) {
		t.Errorf("mute until %v, answer %v (%v)", until, m.At, ok)
	}
	if _, err := events.Await(start, 0, carrier(port, false)); err == nil {
		t.Error("a mute port lost its carrier")
	}
}

func TestPowerOff(t *testing.T) {
	bed := newBed(t)
	port := bed.a.Port("p3p1")
	check(t, port.AddAddress(vip))
	s := sniff(t, bed.client)
	for range 2 {
		if m, ok := answered(t, s, vip.Addr(), patience); !ok || m.MAC != port.MAC() {
			t.Fatalf("before: %+v, %v", m, ok)
		}
		events, err := bed.b.Namespace().Watch()
		check(t, err)
		dark, err := bed.a.PowerOff(nil)
		check(t, err)
		if m, ok := answered(t, s, vip.Addr(), brief); ok {
			t.Errorf("an answer %v after the power went", m.At.Sub(dark))
		}
		if _, err := events.Await(dark, patience, carrier(bed.b.Port("p4p1"), false)); err != nil {
			t.Errorf("the cable's other end: %v", err)
		}
		start := time.Now()
		check(t, bed.a.PowerOn())
		if _, err := events.Await(start, patience, carrier(bed.b.Port("p4p1"), true)); err != nil {
			t.Errorf("the cable's other end: %v", err)
		}
		check(t, events.Close())
	}
	if _, ok := answered(t, s, vip.Addr(), patience); !ok {
		t.Error("no answer after power came back")
	}
	if err := bed.a.PowerOn(); err == nil {
		t.Error("a router with power was powered on")
	}
}

func TestFade(t *testing.T) {
	bed := newBed(t)
	s := sniff(t, bed.client)
	check(t, bed.a.Port("p3p1").AddAddress(vip))
	if _, ok := answered(t, s, vip.Addr(), patience); !ok {
		t.Fatal("no answer before")
	}
	events := watch(t, bed.b)
	const delay = 100 * time.Millisecond
	dark, err := bed.a.PowerOff(func(p *hwtest.Port) time.Duration { return delay })
	check(t, err)
	if _, ok := answered(t, s, vip.Addr(), delay/2); ok {
		t.Error("a port that still has carrier answered")
	}
	e, err := events.Await(dark, patience, carrier(bed.b.Port("p4p1"), false))
	check(t, err)
	if after := e.At.Sub(dark); after < delay {
		t.Errorf("carrier lost after %v, want at least %v", after, delay)
	}
}

func TestPause(t *testing.T) {
	bed := newBed(t)
	check(t, bed.a.Port("p3p1").AddAddress(vip))
	s := sniff(t, bed.client)
	events := watch(t, bed.b)
	if _, ok := answered(t, s, vip.Addr(), patience); !ok {
		t.Fatal("no answer before")
	}
	start := time.Now()
	bed.a.Pause()
	if m, ok := answered(t, s, vip.Addr(), brief); ok {
		t.Errorf("a paused router answered: %+v", m)
	}
	if reaches(t, bed.a.Port("p4p1"), bed.b.Port("p4p1"), brief) {
		t.Error("a paused router sends")
	}
	bed.a.Resume()
	if _, ok := answered(t, s, vip.Addr(), patience); !ok {
		t.Error("no answer after the pause")
	}
	if _, err := events.Await(start, 0, carrier(bed.b.Port("p4p1"), false)); err == nil {
		t.Error("a pause took the carrier")
	}
}
