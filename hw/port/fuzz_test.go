package port

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// recordings are the datagrams of a file in testdata.
func recordings(f *testing.F, name string) (all [][]byte) {
	recorded, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	for block := range strings.SplitSeq(string(recorded), "\n\n") {
		var digits string
		for line := range strings.Lines(block) {
			if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ">") {
				digits += strings.TrimSpace(line)
			}
		}
		if b, err := hex.DecodeString(digits); err == nil && len(b) > 0 {
			all = append(all, b)
		}
	}
	return all
}

// FuzzReports feeds any datagram to everything that reads reports, and has a change made of every so many messages. The picture
// must stay one of ports that can exist, and whoever only heard the changes must have the same picture.
func FuzzReports(f *testing.F) {
	var all []byte
	for _, b := range recordings(f, recordedReports) {
		f.Add(b, uint8(1))
		all = append(all, b...)
	}
	f.Add(all, uint8(3))
	named := func(ae *netlink.AttributeEncoder) { ae.String(unix.IFLA_IFNAME, "p1") }
	link, gone := linkBody(7, unix.IFF_UP, named), linkBody(7, 0, named)
	at := addressBody(7, unix.AF_INET, 24, 0, func(ae *netlink.AttributeEncoder) { ae.Bytes(unix.IFA_LOCAL, []byte{192, 0, 2, 1}) })
	f.Add(slices.Concat(wrap(unix.RTM_NEWLINK, 0, 0, link), wrap(unix.RTM_NEWADDR, 0, 0, at), wrap(unix.RTM_DELADDR, 0, 0, at)), uint8(2))
	f.Add(slices.Concat(wrap(unix.RTM_NEWLINK, 0, 0, link), wrap(unix.RTM_DELLINK, 0, 0, gone), wrap(unix.RTM_NEWLINK, 0, 0, link)), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, often uint8) {
		picture, told, heard := table{}, table{}, table{}
		var c Change
		count := 0
		flush := func() {
			picture.news(told, &c)
			heard.hear(t, c)
			c = Change{}
		}
		messages(b, func(m message) {
			count++
			picture.apply(m, &c)
			checkNeighbour(t, m.body)
			checkRoute(t, m.body)
			if often > 0 && count%int(often) == 0 {
				flush()
			}
		})
		flush()
		if picture.news(told, &c); !c.empty() {
			t.Fatalf("nothing happened, yet the change is %+v", c)
		}
		if count > len(b)/unix.NLMSG_HDRLEN || len(picture) > count {
			t.Fatalf("%d messages and %d ports of %d bytes", count, len(picture), len(b))
		}
		picture.possible(t)
		if !maps.EqualFunc(picture, heard, State.Equal) {
			t.Fatalf("the picture is\n%+v\nby the changes it is\n%+v", picture, heard)
		}
	})
}

// hear works a change in as its receiver does.
func (t table) hear(tb testing.TB, c Change) {
	tb.Helper()
	for _, index := range c.Removed {
		if _, known := t[index]; !known {
			tb.Fatalf("port %d is said to have left and was never there", index)
		}
		delete(t, index)
	}
	for k, s := range c.States {
		if k > 0 && c.States[k-1].Index >= s.Index {
			tb.Fatalf("the states are not in order: %+v", c.States)
		}
		t[s.Index] = s
	}
	for _, gone := range c.Deleted {
		if gone.Index <= 0 || !gone.Prefix.IsValid() {
			tb.Fatalf("an impossible address left: %+v", gone)
		}
	}
}

// possible fails for ports that cannot be.
func (t table) possible(tb testing.TB) {
	tb.Helper()
	for index, s := range t {
		if index <= 0 || s.Index != index || s.Name == "" || len(s.Name) > 15 || strings.ContainsRune(s.Name, 0) || !s.Present ||
			s.Carrier > CarrierUp || s.OperState > OperUp || !s.AdminUp && s.Carrier != CarrierUnknown {
			tb.Fatalf("impossible port %+v", s)
		}
		for k, p := range s.Addresses {
			if !p.IsValid() || p.Addr().Zone() != "" || slices.Contains(s.Addresses[:k], p) {
				tb.Fatalf("impossible addresses on %+v", s)
			}
		}
	}
}

// checkNeighbour: an entry that is told is a station, and nothing of it was made up.
func checkNeighbour(t *testing.T, b []byte) {
	t.Helper()
	index, n, ok := decodeNeighbour(b)
	if indexAgain, again, okAgain := decodeNeighbour(b); indexAgain != index || again != n || okAgain != ok {
		t.Fatalf("the second time it was %+v on %d, the first time %+v on %d", again, indexAgain, n, index)
	}
	if !ok {
		return
	}
	station := n.Addr.IsValid() && !n.Addr.IsMulticast() && !n.Addr.IsUnspecified() && n.MAC != [6]byte{} && n.MAC[0]&1 == 0
	if index <= 0 || !station || uint32(index) != binary.NativeEndian.Uint32(b[4:]) {
		t.Fatalf("%+v on port %d is no station", n, index)
	}
	if list := b[neighbourSize:]; !bytes.Contains(list, n.Addr.AsSlice()) || !bytes.Contains(list, n.MAC[:]) {
		t.Fatalf("%+v is not in %x", n, list)
	}
}

// checkRoute: no more next hops than there is room for, and no gateway that is not in the message.
func checkRoute(t *testing.T, b []byte) {
	t.Helper()
	hops := decodeRoute(b)
	if !slices.Equal(hops, decodeRoute(b)) {
		t.Fatalf("the second time it was not %+v", hops)
	}
	if len(hops) > 1+len(b)/nexthopSize || len(hops) > 0 && (len(b) < routeSize || b[7] != unix.RTN_UNICAST) {
		t.Fatalf("%d next hops of %d bytes", len(hops), len(b))
	}
	for _, h := range hops {
		if g := h.gateway; g.IsValid() && (g.Zone() != "" || !bytes.Contains(b[routeSize:], g.AsSlice())) {
			t.Fatalf("gateway %v is not in %x", g, b)
		}
	}
}

// FuzzAnswer reads an answer that comes in parts of any size: it ends with its end or with its last part, and hands on
// nothing that belongs to another question or comes after the end.
func FuzzAnswer(f *testing.F) {
	item := wrap(unix.RTM_NEWLINK, unix.NLM_F_MULTI, 9, []byte("body"))
	done := wrap(unix.NLMSG_DONE, unix.NLM_F_MULTI, 9, []byte{0, 0, 0, 0})
	no := wrap(unix.NLMSG_ERROR, 0, 9, []byte{0xff, 0xff, 0xff, 0xff})
	torn := wrap(unix.RTM_NEWLINK, unix.NLM_F_MULTI|unix.NLM_F_DUMP_INTR, 9, nil)
	other := wrap(unix.NLMSG_DONE, 0, 8, nil)
	f.Add(slices.Concat(item, item, done), uint8(20), uint32(9))
	f.Add(slices.Concat(item, torn, other, done, item), uint8(200), uint32(9))
	f.Add(slices.Concat(no, item), uint8(0), uint32(9))
	f.Fuzz(func(t *testing.T, b []byte, part uint8, seq uint32) {
		silence := errors.New("nothing comes any more")
		rest, ended := b, false
		err := answer(func() ([]byte, error) {
			if len(rest) == 0 {
				return nil, silence
			}
			n := min(1+4*int(part), len(rest))
			next := rest[:n]
			rest = rest[n:]
			return next, nil
		}, seq, func(m message) {
			ended = ended || m.kind == unix.NLMSG_DONE || m.kind == unix.NLMSG_ERROR
			if m.seq != seq || ended {
				t.Fatalf("handed on %+v, asked for %d", m, seq)
			}
		})
		if len(rest) > 0 && errors.Is(err, silence) {
			t.Fatalf("given up before the end: %v", err)
		}
	})
}

// TestDecodeAllocations: a report costs one copy of each attribute, which is the library's, and nothing beyond that however
// long it is.
func TestDecodeAllocations(t *testing.T) {
	const unwanted = 1000 // an attribute of no kernel
	ballast := func(n int) func(*netlink.AttributeEncoder) {
		return func(ae *netlink.AttributeEncoder) {
			ae.String(unix.IFLA_IFNAME, "p1")
			for range n {
				ae.Bytes(unwanted, make([]byte, 60))
			}
		}
	}
	fixed := func(size int) []byte {
		b := make([]byte, size)
		b[0], b[7] = unix.AF_INET, unix.RTN_UNICAST
		return b
	}
	for _, c := range []struct {
		name   string
		decode func(body []byte)
		head   []byte
	}{
		{"link", func(b []byte) { decodeLink(b) }, linkBody(7, unix.IFF_UP, func(*netlink.AttributeEncoder) {})},
		{"address", func(b []byte) { decodeAddress(b) }, addressBody(7, unix.AF_INET, 24, 0, func(*netlink.AttributeEncoder) {})},
		{"neighbour", func(b []byte) { decodeNeighbour(b) }, fixed(neighbourSize)},
		{"route", func(b []byte) { decodeRoute(b) }, fixed(routeSize)},
	} {
		cost := func(n int) float64 {
			body := attributes(c.head, ballast(n))
			return testing.AllocsPerRun(100, func() { c.decode(body) })
		}
		if one, many := cost(1), cost(900); many > one+899 {
			t.Errorf("%s: %v allocations with one unwanted attribute, %v with 900", c.name, one, many)
		}
	}
	hop := append([]byte{nexthopSize, 0, 0, 0}, 2, 0, 0, 0)
	body := attributes(fixed(routeSize), func(ae *netlink.AttributeEncoder) { ae.Bytes(unix.RTA_MULTIPATH, bytes.Repeat(hop, 5000)) })
	if got := len(decodeRoute(body)); got != 5000 {
		t.Errorf("%d next hops of 5000", got)
	}
	if got := testing.AllocsPerRun(10, func() { decodeRoute(body) }); got > 5000+20 {
		t.Errorf("%v allocations for 5000 next hops", got)
	}
	datagram := bytes.Repeat(wrap(unix.RTM_NEWLINK, 0, 0, nil), 4000)
	if got := testing.AllocsPerRun(10, func() { messages(datagram, func(message) {}) }); got != 0 {
		t.Errorf("%v allocations to walk along 4000 messages", got)
	}
	if got := decodeMultipath(unix.AF_INET, bytes.Repeat([]byte{nexthopSize, 0, 0, 0, 0, 0, 0, 0}, 3)); len(got) != 3 || got[0].gateway != (netip.Addr{}) {
		t.Errorf("next hops %+v", got)
	}
}
