package vrrp

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// trial is one virtual router under test, at a moment. It speaks in words: the actions and the state as the grid writes them.
type trial struct {
	t   *testing.T
	p   Params
	m   *Machine
	now Instant
}

// kind is a version over a family.
type kind struct {
	name   string
	params func() Params
}

var (
	// kinds3 are the virtual routers that RFC 9568 knows.
	kinds3 = []kind{{"IPv4", router3}, {"IPv6", router6}}
	// kinds are those and the one of RFC 3768.
	kinds = []kind{{"version 2", router2}, {"version 3, IPv4", router3}, {"version 3, IPv6", router6}}
)

// ourHost is the last byte of our own address; those of others are above and below.
const ourHost = 100

// try runs a trial for each kind, with a router that was not started.
func try(t *testing.T, of []kind, f func(x *trial)) {
	t.Helper()
	for _, k := range of {
		t.Run(k.name, func(t *testing.T) {
			x := &trial{t: t, p: k.params()}
			x.fresh()
			f(x)
		})
	}
}

// fresh begins again with the settings as they are now.
func (x *trial) fresh() {
	x.t.Helper()
	if err := x.p.Validate(); err != nil {
		x.t.Fatal(err)
	}
	x.m, x.now = New(x.p), Instant(time.Hour)
}

// host is the address on the link that ends in h.
func (x *trial) host(h byte) netip.Addr {
	if x.p.Family == IPv6 {
		return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 15: h})
	}
	return netip.AddrFrom4([4]byte{192, 0, 2, h})
}

// backup makes a fresh router a BACKUP.
func (x *trial) backup() {
	x.t.Helper()
	x.fresh()
	x.m.Step(x.now, Start{Source: x.host(ourHost)})
	if x.p.Priority == ownerPriority || x.m.Status().State != Backup {
		x.t.Fatalf("priority %d gives %v", x.p.Priority, x.m.Status().State)
	}
}

// master makes a fresh router MASTER: after a silence, or at once as the owner.
func (x *trial) master() {
	x.t.Helper()
	x.fresh()
	x.m.Step(x.now, Start{Source: x.host(ourHost)})
	for range 2 { // the silence, and the judge's where there is one
		if at, ok := x.m.Deadline(); ok && x.m.Status().State != Master {
			x.now = at
			x.m.Step(x.now, Expired{})
		}
	}
	if s := x.m.Status().State; s != Master {
		x.t.Fatalf("after a silence it is %v", s)
	}
}

// from is an advert with that priority of the host.
func (x *trial) from(host, priority byte) Heard {
	return Heard{Advert: x.p.Advert(priority), From: x.host(host)}
}

// every is an advert with another interval.
func (x *trial) every(interval time.Duration, host, priority byte) Heard {
	e := x.from(host, priority)
	e.Advert.Interval = interval
	return e
}

// tell tells the router an event and wants these actions, in words.
func (x *trial) tell(e Event, want ...string) {
	x.t.Helper()
	var got []string
	for _, a := range x.m.Step(x.now, e) {
		got = append(got, describe(a, x.now))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		x.t.Errorf("%T%+v as %v (-want +got):\n%s", e, e, x.m.Status().State, diff)
	}
}

// is wants the state and how far away the deadline is, such as "BACKUP +1s" or "INIT".
func (x *trial) is(want string) {
	x.t.Helper()
	if got := strings.TrimSpace(x.m.Status().State.String() + " " + remaining(x.m, x.now)); got != want {
		x.t.Errorf("it is %q, want %q", got, want)
	}
}

// pass lets time pass, and nobody wakes the router.
func (x *trial) pass(d time.Duration) { x.now = x.now.Add(d) }

// due lets time pass until the router wants to be woken.
func (x *trial) due() {
	x.t.Helper()
	at, ok := x.m.Deadline()
	if !ok {
		x.t.Fatalf("no deadline as %v", x.m.Status().State)
	}
	x.now = at
}
