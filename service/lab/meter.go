package lab

import (
	"fmt"
	"net/netip"
	"time"

	"standfast/hw/hwtest"
)

// A Takeover is how long after the carrier dropped at the device a router served, in full.
type Takeover struct {
	Addresses time.Duration // the last VIP was in its kernel
	Routes    time.Duration // the last route was
	Announced time.Duration // the last VIP's first gratuitous ARP was heard by the client of its LAN
}

// Served returns when all of it was done.
func (t Takeover) Served() time.Duration { return max(t.Addresses, t.Routes, t.Announced) }

// A Meter measures takeovers of one router, with the precision of the kernel's events. It asks the kernel for nothing.
type Meter struct {
	pair     *Pair
	member   *Member
	events   *hwtest.Events
	sniffers []*hwtest.Sniffer
}

// route is a virtual route of the story's configuration.
type route struct {
	prefix netip.Prefix
	table  int
}

const tableMain = 254

func routes() []route {
	return []route{
		{netip.MustParsePrefix("198.51.100.0/24"), tableMain},
		{netip.MustParsePrefix("0.0.0.0/0"), 50},
		{netip.MustParsePrefix("192.0.2.0/24"), tableMain},
	}
}

// NewMeter makes a meter for a router, which must not be powered on again while the meter is in use.
func (p *Pair) NewMeter(m *Member) (*Meter, error) {
	events, err := m.Namespace().Watch()
	if err != nil {
		return nil, err
	}
	meter := &Meter{pair: p, member: m, events: events}
	for _, lan := range p.LANs {
		s, err := lan.Client.Sniff()
		if err != nil {
			meter.Close()
			return nil, err
		}
		meter.sniffers = append(meter.sniffers, s)
	}
	return meter, nil
}

// Measure waits until the router serves, for up to the given time, and returns how long that was after start. What happened
// before start does not count.
func (m *Meter) Measure(start time.Time, patience time.Duration) (Takeover, error) {
	var t Takeover
	deadline := start.Add(patience)
	for i, lan := range m.pair.LANs {
		e, err := m.events.Await(start, time.Until(deadline), func(e hwtest.Event) bool {
			return e.Kind == hwtest.AddressAdded && e.Prefix.Addr() == lan.VIP.Addr()
		})
		if err != nil {
			return t, fmt.Errorf("%s in the kernel of %s: %w", lan.VIP, m.member.Name(), err)
		}
		t.Addresses = max(t.Addresses, e.At.Sub(start))
		mac := m.member.Port(lan.Port).MAC()
		heard, err := m.sniffers[i].Await(time.Until(deadline), func(a hwtest.ARP) bool {
			return a.Gratuitous && a.Sender == lan.VIP.Addr() && a.MAC == mac && !a.At.Before(start)
		})
		if err != nil {
			return t, fmt.Errorf("announcement of %s by %s: %w", lan.VIP, m.member.Name(), err)
		}
		t.Announced = max(t.Announced, heard.At.Sub(start))
	}
	for _, r := range routes() {
		e, err := m.events.Await(start, time.Until(deadline), func(e hwtest.Event) bool {
			return e.Kind == hwtest.RouteAdded && e.Prefix == r.prefix && e.Table == r.table
		})
		if err != nil {
			return t, fmt.Errorf("route %s in the kernel of %s: %w", r.prefix, m.member.Name(), err)
		}
		t.Routes = max(t.Routes, e.At.Sub(start))
	}
	return t, nil
}

// Close ends the measuring.
func (m *Meter) Close() error {
	for _, s := range m.sniffers {
		s.Close()
	}
	return m.events.Close()
}
