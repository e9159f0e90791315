package node

import (
	"net/netip"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"standfast/vrrp"
)

// Enemies of the heap: MASTERs under ever new names.
func TestInquiriesAreBounded(t *testing.T) {
	w := newPair(t)
	b := w.add("B", with(50, func(i *Instance) { i.VRRP.Auth = vrrp.AuthNone; i.VRRP.Version = vrrp.V3 })).start()
	w.run(time.Second)
	p := b.cfg.Instances[0].VRRP
	dst := netip.MustParseAddr("224.0.0.18")
	for k := range byte(60) {
		src := netip.AddrFrom4([4]byte{10, 255, 1, k})
		payload, err := p.Advert(200).Append(nil, src, dst)
		if err != nil {
			t.Fatal(err)
		}
		b.tell(Frame{Port: cable, MAC: MAC{2, 0xcc, k}, Src: src, Dst: dst, TTL: 255, Payload: payload})
		w.run(2 * time.Second)
		w.cut()
		w.run(100 * time.Millisecond)
		w.join()
	}
	if got := len(b.n.inquiries); got > 4 {
		t.Errorf("%d inquiries are kept", got)
	}
}

// An hour of peace costs few wake-ups and no memory.
func TestPeaceCostsLittle(t *testing.T) {
	w := newPair(t)
	a, b := w.add("A"), w.add("B")
	a.cfg, b.cfg = dual(100), dual(50)
	for k, p := range ports {
		w.lans[p].gateway2 = a.cfg.Instances[1].Witnesses[k].Addr
	}
	a.start()
	b.start()
	w.run(time.Minute)
	steps, kept := 0, footprint(a.n)+footprint(b.n)
	a.onStep = func(e Event, _ []Action) {
		if e == (Expired{}) {
			steps++
		}
	}
	b.onStep = a.onStep
	peace := spell(time.Hour)
	w.run(peace)
	if limit := 2 * 20 * int(peace.Seconds()); steps > limit {
		t.Errorf("%d wake-ups, want at most %d", steps, limit)
	}
	if now := footprint(a.n) + footprint(b.n); now > kept {
		t.Errorf("%d things are kept after %v, %d before it", now, peace, kept)
	}
}

// footprint counts everything in every map and list of a brain.
func footprint(n *Node) int {
	return size(reflect.ValueOf(n), map[unsafe.Pointer]bool{})
}

func size(v reflect.Value, seen map[unsafe.Pointer]bool) int {
	total := 0
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && !seen[v.UnsafePointer()] {
			seen[v.UnsafePointer()] = true
			total = size(v.Elem(), seen)
		}
	case reflect.Struct:
		for k := range v.NumField() {
			total += size(v.Field(k), seen)
		}
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice {
			total = v.Cap()
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return total
		}
		for k := range v.Len() {
			total += size(v.Index(k), seen)
		}
	case reflect.Map:
		total = v.Len()
		for r := v.MapRange(); r.Next(); {
			total += size(r.Value(), seen)
		}
	}
	return total
}

// What strangers send by the thousand under ever new names, good adverts and claims of our addresses among it, is forgotten.
func TestNothingIsKeptOfACrowd(t *testing.T) {
	w, a, b := boot(t, dual(100), dual(50))
	w.cut()
	const most = 2000 // things; a list without a bound would have more
	crowd := 6000
	if testing.Short() {
		crowd = 3600
	}
	for k := range crowd {
		somebody := netip.AddrFrom4([4]byte{10, 9, byte(k >> 8), byte(k)})
		mac := MAC{2, 9, 9, byte(k >> 8), byte(k)}
		for _, x := range []*box{a, b} {
			i := x.cfg.Instances[k%len(x.cfg.Instances)]
			v := i.VIPs[k%len(i.VIPs)]
			x.tell(Heard{Port: v.Port, Op: Request, Sender: somebody, MAC: mac, Target: v.Prefix.Addr()})
			x.tell(Heard{Port: v.Port, Op: Op(1 + k%3), Sender: v.Prefix.Addr(), MAC: mac, Target: somebody})
			x.tell(Neighbours{Port: v.Port, Gateways: []netip.Addr{somebody}, Known: map[netip.Addr]MAC{somebody.Next(): mac}})
			src, dst := somebody, netip.MustParseAddr("224.0.0.18")
			if i.VRRP.Family == vrrp.IPv6 {
				src, dst = netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 14: byte(k >> 8), 15: byte(k)}), netip.MustParseAddr("ff02::12")
			}
			payload, err := i.VRRP.Advert(uint8(k%255)).Append(nil, src, dst)
			if err != nil {
				t.Fatal(err)
			}
			x.tell(Frame{Port: i.Port, MAC: mac, Src: src, Dst: dst, TTL: 255, Payload: payload})
		}
		w.run(time.Millisecond)
	}
	if kept := footprint(a.n) + footprint(b.n); kept > most {
		t.Errorf("%d things are kept, want at most %d", kept, most)
	}
}
