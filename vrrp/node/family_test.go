package node

import (
	"net/netip"
	"testing"
	"time"

	"standfast/vrrp"
)

// dual is the story with a second instance for IPv6 on the same ports.
func dual(priority uint8) Config {
	six := story(priority)
	six.Name = "VI_6"
	six.VRRP = vrrp.Params{VRID: 50, Family: vrrp.IPv6, Version: vrrp.V3, Priority: priority, Interval: time.Second, Preempt: true}
	six.VIPs, six.Routes, six.Witnesses = nil, nil, nil
	six.VRRP.Addresses = []netip.Addr{netip.MustParseAddr("fe80::50")}
	for k, p := range ports {
		v := netip.MustParsePrefix([]string{"2001:db8:1::1/64", "2001:db8:2::1/64", "2001:db8:3::1/64"}[k])
		six.VIPs = append(six.VIPs, VIP{Prefix: v, Port: p})
		six.Witnesses = append(six.Witnesses, Witness{Addr: v.Addr().Next().Next(), Port: p})
	}
	return Config{Instances: []Instance{story(priority), six}}
}

// One peer with two families is one router, not two: its death is acted upon
// at once.
func TestBothFamiliesOfOnePeerAreOneRouter(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A"), w.add("B")
	a.cfg, b.cfg = dual(100), dual(50)
	for k, p := range ports {
		w.lans[p].gateway2 = a.cfg.Instances[1].Witnesses[k].Addr
	}
	a.start()
	b.start()
	w.run(40 * time.Second)
	w.want("A serves", a.serves() && b.bare())
	w.powerOff(a)
	took := w.until("B serves both families", 5*time.Second, b.serves)
	if took > 100*time.Millisecond {
		t.Errorf("B served after %v", took)
	}
}

// A virtual link-local address is neither the source of adverts nor of
// questions.
func TestVirtualLinkLocalAddressIsNoSource(t *testing.T) {
	c := dual(100)
	virtual := netip.MustParsePrefix("fe80::50/64")
	c.Instances = c.Instances[1:]
	c.Instances[0].VIPs = append(c.Instances[0].VIPs, VIP{Prefix: virtual, Port: cable})
	w := newPair(t)
	a := w.add("A")
	a.cfg = c
	a.onAdvert = func(x SendAdvert) { w.want("adverts come from an own address", x.Src != virtual.Addr()) }
	a.start()
	w.run(10 * time.Second)
	w.want("A serves", a.serves())
	r := a.read()
	r.Ports[0].Addresses = append([]netip.Prefix{virtual}, r.Ports[0].Addresses...)
	a.tell(r)
	w.run(5 * time.Second)
}

// Routers that were told different intervals still agree, by version 3: a
// BACKUP learns the MASTER's.
func TestIntervalIsLearnt(t *testing.T) {
	c := dual(100)
	for _, other := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, 10 * time.Second} {
		slow := dual(50)
		slow.Instances[1].VRRP.Interval = other
		w := newPair(t)
		a, b := w.add("A", c.Instances[1]), w.add("B", slow.Instances[1])
		a.start()
		w.run(5 * time.Second)
		b.start()
		w.run(time.Minute)
		w.want("A serves alone", a.serves() && b.bare())
		w.cut()
		w.run(time.Minute)
		w.want("still", a.serves() && b.bare() && b.changes() == 0)
		w.powerOff(a)
		w.until("B serves", 5*time.Second, b.serves)
	}
}
