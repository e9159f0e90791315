package port

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "rewrite what the recorded reports are decoded to")

const recordedReports = "testdata/reports.txt"

// TestRecordedReports decodes what a kernel really said.
func TestRecordedReports(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the reports were recorded on a little-endian machine")
	}
	recorded, err := os.ReadFile(recordedReports)
	ok(t, err)
	var got strings.Builder
	var digits string
	for line := range strings.Lines(string(recorded)) {
		switch {
		case strings.HasPrefix(line, ">"):
			datagram, err := hex.DecodeString(digits)
			ok(t, err)
			messages(datagram, func(m message) { fmt.Fprintf(&got, "> %s\n", describe(m)) })
			digits = ""
			continue
		case !strings.HasPrefix(line, "#"):
			digits += strings.TrimSpace(line)
		}
		got.WriteString(line)
	}
	if *update {
		ok(t, os.WriteFile(recordedReports, []byte(got.String()), 0o644))
	}
	if diff := cmp.Diff(string(recorded), got.String()); diff != "" {
		t.Errorf("%s (-recorded +decoded):\n%s", recordedReports, diff)
	}
}

// describe decodes a message by its kind.
func describe(m message) string {
	switch m.kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		l, valid := decodeLink(m.body)
		return verdict(fmt.Sprintf("port %+v", l), valid)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		a, valid := decodeAddress(m.body)
		return verdict(fmt.Sprintf("address %v on port %d, usable %t", a.prefix, a.index, a.usable), valid)
	case unix.RTM_NEWNEIGH:
		index, n, valid := decodeNeighbour(m.body)
		return verdict(fmt.Sprintf("neighbour %v at %x on port %d", n.Addr, n.MAC, index), valid)
	case unix.RTM_NEWROUTE:
		var hops []string
		for _, h := range decodeRoute(m.body) {
			hops = append(hops, fmt.Sprintf("%v on port %d", h.gateway, h.index))
		}
		return "next hops " + strings.Join(hops, ", ")
	}
	return "not decoded"
}

func verdict(text string, valid bool) string {
	if !valid {
		return "nothing to us"
	}
	return text
}

// attributes encodes a body: a fixed part and attributes after it.
func attributes(fixed []byte, add func(*netlink.AttributeEncoder)) []byte {
	ae := netlink.NewAttributeEncoder()
	add(ae)
	b, err := ae.Encode()
	if err != nil {
		panic(err)
	}
	return append(bytes.Clone(fixed), b...)
}

// linkBody is a link report with the attributes that every kernel sends.
func linkBody(index int, flags uint32, add func(*netlink.AttributeEncoder)) []byte {
	fixed := make([]byte, ifinfoSize)
	binary.NativeEndian.PutUint32(fixed[4:], uint32(index))
	binary.NativeEndian.PutUint32(fixed[8:], flags)
	return attributes(fixed, add)
}

func addressBody(index int, family, bits, flags uint8, add func(*netlink.AttributeEncoder)) []byte {
	fixed := []byte{family, bits, flags, 0, 0, 0, 0, 0}
	binary.NativeEndian.PutUint32(fixed[4:], uint32(index))
	return attributes(fixed, add)
}

// wrap puts a netlink header before a body.
func wrap(kind, flags uint16, seq uint32, body []byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = append(b, body...)
	return append(b, make([]byte, align(len(b))-len(b))...)
}

func TestDecodeLink(t *testing.T) {
	const running = unix.IFF_UP | unix.IFF_LOWER_UP
	name := func(ae *netlink.AttributeEncoder) { ae.String(unix.IFLA_IFNAME, "p1") }
	named := func(add func(*netlink.AttributeEncoder)) func(*netlink.AttributeEncoder) {
		return func(ae *netlink.AttributeEncoder) { name(ae); add(ae) }
	}
	plain := State{Index: 7, Name: "p1", Present: true, AdminUp: true, Carrier: CarrierUp}
	with := func(change func(*State)) State { s := plain; change(&s); return s }
	bridge := linkBody(7, running, name)
	bridge[0] = unix.AF_BRIDGE
	for _, c := range []struct {
		name string
		body []byte
		want State // zero: no report
	}{
		{"no carrier attribute: the flag says it", linkBody(7, running, name), plain},
		{"no carrier attribute and no flag", linkBody(7, unix.IFF_UP, name), with(func(s *State) { s.Carrier = CarrierDown })},
		{"the attribute is newer than the flag", linkBody(7, running, named(func(ae *netlink.AttributeEncoder) {
			ae.Uint8(unix.IFLA_CARRIER, 0)
		})), with(func(s *State) { s.Carrier = CarrierDown })},
		{"switched off", linkBody(7, unix.IFF_LOWER_UP, named(func(ae *netlink.AttributeEncoder) {
			ae.Uint8(unix.IFLA_CARRIER, 1)
		})), with(func(s *State) { s.AdminUp, s.Carrier = false, CarrierUnknown })},
		{"held down by a protocol", linkBody(7, running, named(func(ae *netlink.AttributeEncoder) {
			ae.Uint8(unix.IFLA_PROTO_DOWN, 1)
		})), with(func(s *State) { s.ProtoDown = true })},
		{"an operational state not invented yet", linkBody(7, running, named(func(ae *netlink.AttributeEncoder) {
			ae.Uint8(unix.IFLA_OPERSTATE, 200)
		})), plain},
		{"waiting for 802.1X", linkBody(7, running, named(func(ae *netlink.AttributeEncoder) {
			ae.Uint8(unix.IFLA_OPERSTATE, 5)
		})), with(func(s *State) { s.OperState = OperDormant })},
		{"a hardware address of 20 bytes", linkBody(7, running, named(func(ae *netlink.AttributeEncoder) {
			ae.Bytes(unix.IFLA_ADDRESS, make([]byte, 20))
		})), plain},
		{"losses counted", linkBody(7, running, named(func(ae *netlink.AttributeEncoder) {
			ae.Uint32(unix.IFLA_CARRIER_DOWN_COUNT, 3)
		})), with(func(s *State) { s.DownCount, s.DownCountKnown = 3, true })},
		{"an attribute of the wrong length", linkBody(7, running, named(func(ae *netlink.AttributeEncoder) {
			ae.Uint16(unix.IFLA_CARRIER_DOWN_COUNT, 3)
		})), State{}},
		{"a bridge about its member", bridge, State{}},
		{"no name: a wireless event", linkBody(7, running, func(ae *netlink.AttributeEncoder) {
			ae.Bytes(unix.IFLA_WIRELESS, make([]byte, 8))
		}), State{}},
		{"too long a name", linkBody(7, running, func(ae *netlink.AttributeEncoder) {
			ae.String(unix.IFLA_IFNAME, "a-name-of-16-byt")
		}), State{}},
		{"no index", linkBody(0, running, name), State{}},
		{"a negative index", linkBody(-1, running, name), State{}},
		{"cut off in an attribute", linkBody(7, running, name)[:ifinfoSize+5], State{}},
		{"cut off in the fixed part", make([]byte, ifinfoSize-1), State{}},
		{"nothing", nil, State{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, valid := decodeLink(c.body)
			if valid != c.want.Present {
				t.Fatalf("a report: %t, want %t", valid, c.want.Present)
			}
			if valid && !got.Equal(c.want) {
				t.Error(cmp.Diff(c.want, got))
			}
		})
	}
}

func TestDecodeAddress(t *testing.T) {
	v4 := func(kind uint16, last byte) func(*netlink.AttributeEncoder) {
		return func(ae *netlink.AttributeEncoder) { ae.Bytes(kind, []byte{192, 0, 2, last}) }
	}
	v6 := func(flags uint32) func(*netlink.AttributeEncoder) {
		return func(ae *netlink.AttributeEncoder) {
			a := netip.MustParseAddr("fe80::1").As16()
			ae.Bytes(unix.IFA_ADDRESS, a[:])
			if flags != 0 {
				ae.Uint32(unix.IFA_FLAGS, flags)
			}
		}
	}
	linkLocal := netip.MustParsePrefix("fe80::1/64")
	for _, c := range []struct {
		name string
		body []byte
		want address // zero: malformed
	}{
		{"local only", addressBody(7, unix.AF_INET, 24, 0, v4(unix.IFA_LOCAL, 1)), address{7, netip.MustParsePrefix("192.0.2.1/24"), true}},
		{"point to point", addressBody(7, unix.AF_INET, 32, 0, func(ae *netlink.AttributeEncoder) {
			v4(unix.IFA_ADDRESS, 6)(ae)
			v4(unix.IFA_LOCAL, 5)(ae)
		}), address{7, netip.MustParsePrefix("192.0.2.5/32"), true}},
		{"plain only", addressBody(7, unix.AF_INET6, 64, 0, v6(0)), address{7, linkLocal, true}},
		{"under test", addressBody(7, unix.AF_INET6, 64, unix.IFA_F_TENTATIVE, v6(0)), address{7, linkLocal, false}},
		{"under test, said in the long flags", addressBody(7, unix.AF_INET6, 64, 0, v6(unix.IFA_F_TENTATIVE)), address{7, linkLocal, false}},
		{"under test but used already", addressBody(7, unix.AF_INET6, 64, 0, v6(unix.IFA_F_TENTATIVE|unix.IFA_F_OPTIMISTIC)), address{7, linkLocal, true}},
		{"taken by somebody else", addressBody(7, unix.AF_INET6, 64, unix.IFA_F_DADFAILED, v6(0)), address{7, linkLocal, false}},
		{"too long a prefix", addressBody(7, unix.AF_INET, 33, 0, v4(unix.IFA_LOCAL, 1)), address{}},
		{"an address of the other family", addressBody(7, unix.AF_INET6, 24, 0, v4(unix.IFA_LOCAL, 1)), address{}},
		{"no address", addressBody(7, unix.AF_INET, 24, 0, func(*netlink.AttributeEncoder) {}), address{}},
		{"no port", addressBody(0, unix.AF_INET, 24, 0, v4(unix.IFA_LOCAL, 1)), address{}},
		{"cut off in the fixed part", make([]byte, ifaddrSize-1), address{}},
		{"cut off in an attribute", addressBody(7, unix.AF_INET, 24, 0, v4(unix.IFA_LOCAL, 1))[:ifaddrSize+6], address{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, valid := decodeAddress(c.body)
			if want := c.want != (address{}); valid != want {
				t.Fatalf("well-formed: %t, want %t", valid, want)
			}
			if valid && got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestDecodeNeighbour(t *testing.T) {
	body := func(state uint16, flags uint8, ip, mac []byte) []byte {
		fixed := make([]byte, neighbourSize)
		fixed[0] = unix.AF_INET
		binary.NativeEndian.PutUint32(fixed[4:], 7)
		binary.NativeEndian.PutUint16(fixed[8:], state)
		fixed[10] = flags
		return attributes(fixed, func(ae *netlink.AttributeEncoder) {
			ae.Bytes(unix.NDA_DST, ip)
			ae.Bytes(unix.NDA_LLADDR, mac)
		})
	}
	ip, mac := []byte{192, 0, 2, 9}, []byte{2, 0, 0, 0, 0, 9}
	for _, c := range []struct {
		name string
		body []byte
		want bool
	}{
		{"reachable", body(unix.NUD_REACHABLE, 0, ip, mac), true},
		{"heard long ago", body(unix.NUD_STALE, 0, ip, mac), true},
		{"asked, no answer yet", body(unix.NUD_INCOMPLETE, 0, ip, mac), false},
		{"given up", body(unix.NUD_FAILED, 0, ip, mac), false},
		{"never asked: a broadcast or group address", body(unix.NUD_NOARP, 0, ip, mac), false},
		{"answered for by us", body(unix.NUD_PERMANENT, unix.NTF_PROXY, ip, mac), false},
		{"a group", body(unix.NUD_REACHABLE, 0, []byte{224, 0, 0, 18}, mac), false},
		{"a group's hardware address", body(unix.NUD_REACHABLE, 0, ip, []byte{1, 0, 0x5e, 0, 0, 18}), false},
		{"no hardware address", body(unix.NUD_REACHABLE, 0, ip, make([]byte, 6)), false},
		{"another kind of hardware address", body(unix.NUD_REACHABLE, 0, ip, make([]byte, 20)), false},
		{"a broken address", body(unix.NUD_REACHABLE, 0, ip[:3], mac), false},
		{"nothing", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if index, n, valid := decodeNeighbour(c.body); valid != c.want {
				t.Errorf("got %d %+v %t", index, n, valid)
			}
		})
	}
}

func TestDecodeRoute(t *testing.T) {
	body := func(kind uint8, flags uint32, add func(*netlink.AttributeEncoder)) []byte {
		fixed := make([]byte, routeSize)
		fixed[0], fixed[7] = unix.AF_INET, kind
		binary.NativeEndian.PutUint32(fixed[8:], flags)
		return attributes(fixed, add)
	}
	via := func(ae *netlink.AttributeEncoder) {
		ae.Uint32(unix.RTA_OIF, 7)
		ae.Bytes(unix.RTA_GATEWAY, []byte{192, 0, 2, 254})
	}
	gateway := hop{7, netip.MustParseAddr("192.0.2.254")}
	for _, c := range []struct {
		name string
		body []byte
		want []hop
	}{
		{"a gateway", body(unix.RTN_UNICAST, 0, via), []hop{gateway}},
		{"on the port itself", body(unix.RTN_UNICAST, 0, func(ae *netlink.AttributeEncoder) { ae.Uint32(unix.RTA_OIF, 7) }), []hop{{index: 7}}},
		{"unreachable", body(unix.RTN_UNREACHABLE, 0, via), nil},
		{"cloned", body(unix.RTN_UNICAST, unix.RTM_F_CLONED, via), nil},
		{"a next hop shorter than its header", body(unix.RTN_UNICAST, 0, func(ae *netlink.AttributeEncoder) {
			ae.Bytes(unix.RTA_MULTIPATH, []byte{4, 0, 0, 0, 7, 0, 0, 0})
		}), nil},
		{"a next hop longer than the list", body(unix.RTN_UNICAST, 0, func(ae *netlink.AttributeEncoder) {
			ae.Bytes(unix.RTA_MULTIPATH, []byte{64, 0, 0, 0, 7, 0, 0, 0})
		}), nil},
		{"an empty gateway of another family", body(unix.RTN_UNICAST, 0, func(ae *netlink.AttributeEncoder) {
			ae.Uint32(unix.RTA_OIF, 7)
			ae.Bytes(unix.RTA_VIA, []byte{10, 0})
		}), []hop{{index: 7}}},
		{"nothing", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := decodeRoute(c.body)
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(hop{}), addresses); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestAnswer feeds the reader of answers what kernels say at the end of a list.
func TestAnswer(t *testing.T) {
	const seq = 5
	errno := func(n int32) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(n)) }
	item := wrap(unix.RTM_NEWLINK, unix.NLM_F_MULTI, seq, []byte("item"))
	done := wrap(unix.NLMSG_DONE, unix.NLM_F_MULTI, seq, errno(0))
	for _, c := range []struct {
		name      string
		datagrams [][]byte
		items     int
		want      error
	}{
		{"a list in two parts", [][]byte{append(bytes.Clone(item), item...), append(bytes.Clone(item), done...)}, 3, nil},
		{"an end without errno", [][]byte{wrap(unix.NLMSG_DONE, 0, seq, nil)}, 0, nil},
		{"changed meanwhile", [][]byte{wrap(unix.RTM_NEWLINK, unix.NLM_F_DUMP_INTR, seq, nil), done}, 1, errInterrupted},
		{"changed at the very end", [][]byte{item, wrap(unix.NLMSG_DONE, unix.NLM_F_DUMP_INTR, seq, errno(0))}, 1, errInterrupted},
		{"refused", [][]byte{wrap(unix.NLMSG_ERROR, 0, seq, errno(-int32(unix.EOPNOTSUPP)))}, 0, unix.EOPNOTSUPP},
		{"broken off", [][]byte{item, wrap(unix.NLMSG_DONE, 0, seq, errno(-int32(unix.ENOMEM)))}, 1, unix.ENOMEM},
		{"the rest of an older answer first", [][]byte{wrap(unix.NLMSG_DONE, 0, seq-1, errno(0)), item, done}, 1, nil},
		{"behind the end", [][]byte{append(bytes.Clone(done), item...)}, 0, nil},
		{"lost", [][]byte{item}, 1, errOverrun},
	} {
		t.Run(c.name, func(t *testing.T) {
			items := 0
			err := answer(func() ([]byte, error) {
				if len(c.datagrams) == 0 {
					return nil, errOverrun
				}
				next := c.datagrams[0]
				c.datagrams = c.datagrams[1:]
				return next, nil
			}, seq, func(message) { items++ })
			if !errors.Is(err, c.want) || (c.want == nil && err != nil) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if items != c.items {
				t.Errorf("%d items, want %d", items, c.items)
			}
		})
	}
}
