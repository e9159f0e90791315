package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	nl "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// family is what differs between the two in these tests.
type family struct {
	number     int
	group      netip.Addr
	peer, own  netip.Addr
	ownPrefix  string
	ethertype  uint16
	header     func(b []byte, src, dst netip.Addr, n int) []byte
	headerLen  int
	membership string // in the file of /proc/thread-self/net below
	file       string
}

var families = map[string]family{
	"IPv4": {
		number: 4, group: group4, peer: netip.MustParseAddr("10.255.0.2"), own: netip.MustParseAddr("10.255.0.1"), ownPrefix: "10.255.0.1/30",
		ethertype: unix.ETH_P_IP, header: appendHeader4, headerLen: headerLen4, membership: "120000E0", file: "igmp",
	},
	"IPv6": {
		number: 6, group: group6, peer: netip.MustParseAddr("fe80::2"), own: netip.MustParseAddr("fe80::1"), ownPrefix: "fe80::1/64",
		ethertype: unix.ETH_P_IPV6, header: appendHeader6, headerLen: headerLen6, membership: "ff020000000000000000000000000012", file: "igmp6",
	},
}

// eachFamily runs a test on a fresh port for IPv4 and for IPv6.
func eachFamily(t *testing.T, f func(t *testing.T, s *segment, v family)) {
	for name, v := range families {
		t.Run(name, func(t *testing.T) { f(t, newSegment(t), v) })
	}
}

// open opens a Conn on the port; it is closed with the test.
func (s *segment) open(v family) *Conn {
	s.t.Helper()
	var c *Conn
	s.do(func() (err error) {
		c, err = Open(s.index, s.name, v.number, v.group)
		return err
	})
	s.t.Cleanup(func() { c.Close() })
	return c
}

// advert is a frame from the peer to the group.
func (v family) advert(payload string) []byte {
	return v.frame(v.group, payload)
}

func (v family) frame(dst netip.Addr, payload string) []byte {
	return ethernet(groupMAC(v.group), v.ethertype, append(v.header(nil, v.peer, dst, len(payload)), payload...))
}

// hear returns the next frame.
func hear(t *testing.T, c *Conn) Frame {
	t.Helper()
	type result struct {
		f   Frame
		err error
	}
	r := within(t, "Receive", func() result {
		f, err := c.Receive()
		return result{f, err}
	})
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r.f
}

// expect fails unless the next frame heard has this payload.
func expect(t *testing.T, c *Conn, v family, payload string) {
	t.Helper()
	want := Frame{MAC: peerMAC, Src: v.peer, Dst: v.group, TTL: 255, Payload: []byte(payload)}
	if diff := cmp.Diff(want, hear(t, c), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Fatalf("frame (-want +got):\n%s", diff)
	}
}

// sent returns the next advert from the port.
func (s *segment) sent(v family) []byte {
	s.t.Helper()
	at := map[int]int{4: 14 + 9, 6: 14 + 6}[v.number]
	return s.read("an advert", func(b []byte) bool {
		return binary.BigEndian.Uint16(b[12:]) == v.ethertype && b[at] == protocol
	})
}

// TestReceive: nothing on this host that stops packets stops adverts, and the raw socket tells that it would have.
func TestReceive(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(s *segment, v family)
		raw     bool // heard by the raw socket, too
		only    int  // family, 0 for both
	}{
		{name: "plain", raw: true, prepare: func(s *segment, v family) { s.address(v.ownPrefix) }},
		{name: "no address on the port", raw: true, prepare: func(s *segment, v family) { s.flush() }},
		{name: "address lost while open", raw: true, prepare: func(s *segment, v family) { s.address(v.ownPrefix); s.flush() }},
		{name: "rp_filter 0", only: 4, raw: true, prepare: func(s *segment, v family) { s.address("192.0.2.1/24"); s.rpFilter("0") }},
		{name: "rp_filter 1", only: 4, raw: false, prepare: func(s *segment, v family) { s.address("192.0.2.1/24"); s.rpFilter("1") }},
		{name: "rp_filter 2", only: 4, raw: false, prepare: func(s *segment, v family) { s.address("192.0.2.1/24"); s.rpFilter("2") }},
		{name: "firewall", raw: false, prepare: func(s *segment, v family) { s.address(v.ownPrefix); s.firewall(unix.NF_INET_LOCAL_IN) }},
		{name: "IPv6 switched off", only: 6, raw: false, prepare: func(s *segment, v family) { s.sysctl("net/ipv6/conf/p4p1/disable_ipv6", "1") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, v := range families {
				if tt.only != 0 && tt.only != v.number {
					continue
				}
				t.Run(name, func(t *testing.T) {
					s := newSegment(t)
					c := s.open(v)
					tt.prepare(s, v)
					s.write(v.advert("one"), v.advert("two"))
					expect(t, c, v, "one")
					expect(t, c, v, "two")
					if got := c.PacketHeard(); got != 2 {
						t.Errorf("PacketHeard %d, want 2", got)
					}
					if tt.raw {
						eventually(t, "the raw socket hears both", func() bool { return c.RawHeard() == 2 })
					} else if got := c.RawHeard(); got != 0 {
						t.Errorf("RawHeard %d, want 0", got)
					}
				})
			}
		})
	}
}

// rpFilter sets the reverse path filter. The peer's 10.255.0.2 is not reachable by any route.
func (s *segment) rpFilter(mode string) {
	s.sysctl("net/ipv4/conf/all/rp_filter", "0")
	s.sysctl("net/ipv4/conf/"+s.name+"/rp_filter", mode)
}

// firewall makes the host drop everything at that hook: a table with one empty chain whose policy is drop. It needs no tool.
func (s *segment) firewall(hook uint32) {
	s.t.Helper()
	err := s.Do(func() error {
		c, err := nl.Dial(unix.NETLINK_NETFILTER, nil)
		if err != nil {
			return err
		}
		defer c.Close()
		const tables = unix.NFNL_SUBSYS_NFTABLES << 8
		text := func(s string) []byte { return append([]byte(s), 0) }
		number := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
		message := func(kind int, flags nl.HeaderFlags, family byte, resource uint16, encode func(e *nl.AttributeEncoder)) nl.Message {
			e := nl.NewAttributeEncoder()
			encode(e)
			attributes, err := e.Encode()
			s.must(err)
			head := binary.BigEndian.AppendUint16([]byte{family, unix.NFNETLINK_V0}, resource)
			return nl.Message{Header: nl.Header{Type: nl.HeaderType(kind), Flags: nl.Request | flags}, Data: append(head, attributes...)}
		}
		none := func(*nl.AttributeEncoder) {}
		if _, err := c.SendMessages([]nl.Message{
			message(unix.NFNL_MSG_BATCH_BEGIN, 0, 0, unix.NFNL_SUBSYS_NFTABLES, none),
			message(tables|unix.NFT_MSG_NEWTABLE, nl.Create, unix.NFPROTO_INET, 0, func(e *nl.AttributeEncoder) {
				e.Bytes(unix.NFTA_TABLE_NAME, text("deaf"))
			}),
			message(tables|unix.NFT_MSG_NEWCHAIN, nl.Create|nl.Acknowledge, unix.NFPROTO_INET, 0, func(e *nl.AttributeEncoder) {
				e.Bytes(unix.NFTA_CHAIN_TABLE, text("deaf"))
				e.Bytes(unix.NFTA_CHAIN_NAME, text("all"))
				e.Bytes(unix.NFTA_CHAIN_TYPE, text("filter"))
				e.Bytes(unix.NFTA_CHAIN_POLICY, number(0))
				e.Nested(unix.NFTA_CHAIN_HOOK, func(e *nl.AttributeEncoder) error {
					e.Bytes(unix.NFTA_HOOK_HOOKNUM, number(hook))
					e.Bytes(unix.NFTA_HOOK_PRIORITY, number(0))
					return nil
				})
			}),
			message(unix.NFNL_MSG_BATCH_END, 0, 0, unix.NFNL_SUBSYS_NFTABLES, none),
		}); err != nil {
			return err
		}
		_, err = c.Receive()
		return err
	})
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) {
		s.t.Skipf("this kernel has no nf_tables: %v", err)
	}
	s.must(err)
}

// TestReceivePassesOver: what is not an advert to this station's group never comes out of Receive.
func TestReceivePassesOver(t *testing.T) {
	eachFamily(t, func(t *testing.T, s *segment, v family) {
		s.address(v.ownPrefix)
		c := s.open(v)
		change := func(at int, value byte) []byte {
			b := v.advert("no")
			b[14+at] = value
			if v.number == 4 { // with a right header checksum
				b[14+10], b[14+11] = 0, 0
				binary.BigEndian.PutUint16(b[14+10:], ^sum(b[14:14+headerLen4]))
			}
			return b
		}
		frames := [][]byte{
			v.frame(map[int]netip.Addr{4: netip.MustParseAddr("224.128.0.18"), 6: netip.MustParseAddr("ff05::12")}[v.number], "another group with the same MAC"),
			change(map[int]int{4: 9, 6: 6}[v.number], 111),
			ethernet(peerMAC, v.ethertype, append(v.header(nil, v.peer, v.group, 2), "no"...)), // to another station
			ethernet(groupMAC(v.group), unix.ETH_P_8021Q, append(append([]byte{0, 7}, v.advert("")[12:14]...), v.advert("no")[14:]...)),
			ethernet(groupMAC(v.group), v.ethertype, v.header(nil, v.peer, v.group, 2)[:18]),
		}
		if v.number == 4 {
			frames = append(frames, change(6, 0x20), change(7, 1)) // fragments
		} else {
			frames = append(frames, change(6, unix.IPPROTO_FRAGMENT), change(6, unix.IPPROTO_HOPOPTS))
		}
		s.write(frames...)
		if err := c.Send(v.own, v.group, []byte("from this port")); err != nil {
			t.Fatal(err)
		}
		s.sent(v)
		s.write(v.advert("yes"))
		expect(t, c, v, "yes")
		eventually(t, "the raw socket hears the advert", func() bool { return c.RawHeard() == 1 })
		if c.PacketHeard() != 1 || c.Rejected() != 0 {
			t.Errorf("heard %d, rejected %d, want 1 and 0", c.PacketHeard(), c.Rejected())
		}
	})
}

func TestReceiveRejects(t *testing.T) {
	eachFamily(t, func(t *testing.T, s *segment, v family) {
		c := s.open(v)
		long := v.advert("no")
		copy(long[14+map[int]int{4: 2, 6: 4}[v.number]:], []byte{0x7f, 0xff}) // its header promises 32767 octets
		s.write(long, v.advert("yes"))
		expect(t, c, v, "yes")
		if got := c.Rejected(); got != 1 {
			t.Errorf("Rejected %d, want 1", got)
		}
	})
}

// TestReceiveWhole: an advert with options before it, and the longest there can be, come whole.
func TestReceiveWhole(t *testing.T) {
	eachFamily(t, func(t *testing.T, s *segment, v family) {
		s.must(s.Kernel().LinkSetMTU(s.link(), 9000))
		c := s.open(v)
		longest := strings.Repeat("x", maxPacket-headerLen6)
		s.write(v.advert(longest))
		expect(t, c, v, longest)
		if v.number == 6 {
			return
		}
		options := octets(t, "46c0 001b 0000 0000 ff70 0000 0aff0002 e0000012 94040000")
		binary.BigEndian.PutUint16(options[10:], ^sum(options))
		s.write(ethernet(groupMAC(v.group), v.ethertype, append(options, "abc"...)))
		expect(t, c, v, "abc")
	})
}

// TestReceiveOwnsPayload: a later frame does not change an earlier one.
func TestReceiveOwnsPayload(t *testing.T) {
	s, v := newSegment(t), families["IPv4"]
	c := s.open(v)
	s.write(v.advert("first"), v.advert("other"))
	first := hear(t, c)
	hear(t, c)
	if string(first.Payload) != "first" {
		t.Errorf("payload became %q", first.Payload)
	}
}

func TestReceiveSurvivesDown(t *testing.T) {
	eachFamily(t, func(t *testing.T, s *segment, v family) {
		s.must(s.Kernel().LinkSetDown(s.link()))
		c := s.open(v) // a port may be down from the start
		for _, payload := range []string{"one", "two"} {
			s.must(s.Kernel().LinkSetDown(s.link()))
			if err := c.Send(v.own, v.group, []byte("into the dark")); !errors.Is(err, unix.ENETDOWN) {
				t.Errorf("Send on a port that is down: %v, want ENETDOWN", err)
			}
			s.must(s.Kernel().LinkSetUp(s.link()))
			s.write(v.advert(payload))
			expect(t, c, v, payload)
		}
	})
}

// TestSend: adverts leave with the right header whatever became of the port's addresses.
func TestSend(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(s *segment, v family)
		only    int
	}{
		{name: "own address", prepare: func(s *segment, v family) { s.address(v.ownPrefix) }},
		{name: "never had an address", prepare: func(s *segment, v family) { s.flush() }},
		{name: "lost its address", prepare: func(s *segment, v family) { s.address(v.ownPrefix); s.flush() }},
		{name: "IPv6 switched off", only: 6, prepare: func(s *segment, v family) { s.sysctl("net/ipv6/conf/p4p1/disable_ipv6", "1") }},
		{name: "renamed", prepare: func(s *segment, v family) {
			s.must(s.Kernel().LinkSetDown(s.link()))
			s.must(s.Kernel().LinkSetName(s.link(), "renamed"))
			s.name = "renamed"
			s.must(s.Kernel().LinkSetUp(s.link()))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, v := range families {
				if tt.only != 0 && tt.only != v.number {
					continue
				}
				t.Run(name, func(t *testing.T) {
					s := newSegment(t)
					c := s.open(v)
					tt.prepare(s, v)
					const payload = "an advert"
					if err := c.Send(v.own, v.group, []byte(payload)); err != nil {
						t.Fatal(err)
					}
					got := s.sent(v)
					mac := groupMAC(v.group)
					want := append(append(append([]byte{}, mac[:]...), portMAC[:]...), got[12:14]...)
					want = append(v.header(want, v.own, v.group, len(payload)), payload...)
					if v.number == 4 { // the kernel numbers packets
						copy(want[14+4:14+6], got[14+4:14+6])
						copy(want[14+10:14+12], []byte{0, 0})
						binary.BigEndian.PutUint16(want[14+10:], ^sum(want[14:14+headerLen4]))
					}
					copy(want[14+1:14+4], mask6(v, got[14+1:14+4], want[14+1:14+4]))
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("frame (-want +got):\n%s", diff)
					}
				})
			}
		})
	}
}

// mask6 takes over the flow label of an IPv6 header, which the kernel chooses.
func mask6(v family, got, want []byte) []byte {
	if v.number == 4 {
		return want
	}
	return []byte{want[0]&0xf0 | got[0]&0x0f, got[1], got[2]}
}

// TestSendHonoursFirewall: a rule of the host against adverts is an error, not something to get around.
func TestSendHonoursFirewall(t *testing.T) {
	eachFamily(t, func(t *testing.T, s *segment, v family) {
		s.address(v.ownPrefix)
		c := s.open(v)
		s.firewall(unix.NF_INET_LOCAL_OUT)
		if err := c.Send(v.own, v.group, nil); !errors.Is(err, unix.EPERM) {
			t.Errorf("Send: %v, want EPERM", err)
		}
	})
}

// TestSendIsNotLooped: another listener on this host hears the peer, and not what this port sends.
func TestSendIsNotLooped(t *testing.T) {
	eachFamily(t, func(t *testing.T, s *segment, v family) {
		s.address(v.ownPrefix)
		c := s.open(v)
		var fd int
		s.do(func() (err error) {
			fd, err = unix.Socket(map[int]int{4: unix.AF_INET, 6: unix.AF_INET6}[v.number], unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
			return err
		})
		t.Cleanup(func() { unix.Close(fd) })
		s.must(unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: int64(patience.Seconds())}))
		s.must(c.Send(v.own, v.group, []byte("own")))
		s.sent(v)
		s.write(v.advert("peer"))
		b := make([]byte, 100)
		n, _, err := unix.Recvfrom(fd, b, 0)
		s.must(err)
		if !strings.HasSuffix(string(b[:n]), "peer") {
			t.Errorf("heard %q", b[:n])
		}
	})
}

// TestPortsApart: two ports of one host neither hear nor speak for each other.
func TestPortsApart(t *testing.T) {
	eachFamily(t, func(t *testing.T, s *segment, v family) {
		other := s.second()
		other.address(v.ownPrefix) // where routing would send it
		c, otherC := s.open(v), other.open(v)
		other.write(v.advert("on the other"))
		expect(t, otherC, v, "on the other")
		eventually(t, "the other raw socket hears it", func() bool { return otherC.RawHeard() == 1 })
		s.write(v.advert("on this"))
		expect(t, c, v, "on this")
		eventually(t, "this raw socket hears it", func() bool { return c.RawHeard() > 0 })
		if got := c.RawHeard(); got != 1 {
			t.Errorf("RawHeard %d, want 1", got)
		}
		s.must(c.Send(v.own, v.group, []byte("from this")))
		s.must(otherC.Send(v.own, v.group, []byte("from the other")))
		for port, payload := range map[*segment]string{s: "from this", other: "from the other"} {
			if b := port.sent(v); !strings.HasSuffix(string(b), payload) {
				t.Errorf("%s sent %q", port.name, b)
			}
		}
	})
}

func TestSendRefuses(t *testing.T) {
	s, v := newSegment(t), families["IPv4"]
	c := s.open(v)
	var none netip.Addr
	for _, tt := range []struct{ src, dst netip.Addr }{
		{none, v.group}, {v.own, none}, {v.own, v.peer}, {families["IPv6"].own, v.group}, {v.own, families["IPv6"].group},
	} {
		if err := c.Send(tt.src, tt.dst, nil); err == nil {
			t.Errorf("sent from %v to %v", tt.src, tt.dst)
		}
	}
	for name, v := range families {
		s.address(v.ownPrefix)
		c := s.open(v)
		if err := c.Send(v.own, v.group, make([]byte, 1500-v.headerLen)); err != nil {
			t.Errorf("%s: an advert as long as the MTU: %v", name, err)
		}
		if err := c.Send(v.own, v.group, make([]byte, 1501-v.headerLen)); !errors.Is(err, unix.EMSGSIZE) {
			t.Errorf("%s: an advert longer than the MTU: %v, want EMSGSIZE", name, err)
		}
	}
}

// TestSendNeverBlocks: behind a queue that lets nothing out, Send fails and returns.
func TestSendNeverBlocks(t *testing.T) {
	eachFamily(t, func(t *testing.T, s *segment, v family) {
		s.address(v.ownPrefix)
		c := s.open(v)
		s.plugQueue()
		err := within(t, "Send into a full queue", func() error {
			for range 100_000 {
				if err := c.Send(v.own, v.group, make([]byte, 1000)); err != nil {
					return err
				}
			}
			return nil
		})
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.ENOBUFS) {
			t.Errorf("Send into a full queue: %v, want EAGAIN or ENOBUFS", err)
		}
	})
}

// plugQueue gives the port a queue of 10 MB that lets one kilobyte out in a second.
func (s *segment) plugQueue() {
	s.t.Helper()
	err := s.Kernel().QdiscReplace(&netlink.Tbf{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: s.index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT},
		Rate:       1000, Buffer: 2e9 / 64, Limit: 10 << 20, // the burst, 2 kB, in units of 64 ns
	})
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) {
		s.t.Skipf("this kernel has no token bucket queue: %v", err)
	}
	s.must(err)
}

// TestMembership: it is there from Open to Close, over the loss of addresses and of the port.
func TestMembership(t *testing.T) {
	eachFamily(t, func(t *testing.T, s *segment, v family) {
		s.address(v.ownPrefix)
		listed := func(file, what string) bool {
			var b []byte
			s.do(func() (err error) {
				b, err = os.ReadFile("/proc/thread-self/net/" + file)
				return err
			})
			return strings.Contains(string(b), what)
		}
		check := func(when string, want bool) {
			t.Helper()
			if got := listed(v.file, v.membership); got != want {
				t.Errorf("%s: member is %v, want %v", when, got, want)
			}
			if got := listed("dev_mcast", fmt.Sprintf("%x", groupMAC(v.group))); got != want {
				t.Errorf("%s: adapter passes the group on: %v, want %v", when, got, want)
			}
		}
		check("before Open", false)
		c := s.open(v)
		check("after Open", true)
		s.flush()
		check("without addresses", true)
		s.must(s.Kernel().LinkSetDown(s.link()))
		s.must(s.Kernel().LinkSetUp(s.link()))
		check("after down and up", true)
		if v.number == 6 {
			s.sysctl("net/ipv6/conf/"+s.name+"/disable_ipv6", "1")
			if !listed("dev_mcast", fmt.Sprintf("%x", groupMAC(v.group))) {
				t.Error("with IPv6 switched off the adapter keeps the group to itself")
			}
			s.sysctl("net/ipv6/conf/"+s.name+"/disable_ipv6", "0")
			check("after IPv6 was switched off and on", true)
		}
		s.must(c.Close())
		check("after Close", false)

		old := s.open(v)
		s.must(s.tap.Close())
		index := s.index
		s.plug()
		if s.index == index {
			t.Fatalf("the new port has the old index %d", index)
		}
		check("new port", false)
		fresh := s.open(v)
		check("new port after Open", true)
		s.write(v.advert("on the new port"))
		expect(t, fresh, v, "on the new port")
		if err := old.Send(v.own, v.group, nil); err == nil {
			t.Error("sent on a port that is gone")
		}
	})
}

func TestClose(t *testing.T) {
	eachFamily(t, func(t *testing.T, s *segment, v family) {
		c := s.open(v)
		entered := make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			close(entered)
			_, err := c.Receive()
			ended <- err
		}()
		<-entered
		s.must(c.Close())
		if err := within(t, "Receive after Close", func() error { return <-ended }); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Receive during Close: %v, want fs.ErrClosed", err)
		}
		if _, err := c.Receive(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Receive after Close: %v, want fs.ErrClosed", err)
		}
		if err := c.Send(v.own, v.group, nil); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Send after Close: %v, want fs.ErrClosed", err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
		c.RawHeard() // must not touch a descriptor that is no longer ours
	})
}

func TestOpenRefuses(t *testing.T) {
	s := newSegment(t)
	tests := []struct {
		name   string
		index  int
		family int
		group  netip.Addr
		want   error
	}{
		{name: "no group", index: s.index, family: 4},
		{name: "not a group", index: s.index, family: 4, group: netip.MustParseAddr("10.0.0.1")},
		{name: "group of the other family", index: s.index, family: 4, group: group6},
		{name: "no such family", index: s.index, family: 5, group: group4},
		{name: "no such port, IPv4", index: 4711, family: 4, group: group4, want: unix.ENODEV},
		{name: "no such port, IPv6", index: 4711, family: 6, group: group6, want: unix.ENODEV},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.do(func() error {
				c, err := Open(tt.index, s.name, tt.family, tt.group)
				if err == nil {
					c.Close()
					return errors.New("opened")
				}
				if tt.want != nil && !errors.Is(err, tt.want) {
					return fmt.Errorf("error %w, want %w", err, tt.want)
				}
				return nil
			})
		})
	}
}

func TestOpenWithoutRight(t *testing.T) {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread without rights dies with the goroutine
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			done <- err
			return
		}
		_, err := Open(1, "lo", 4, group4)
		done <- err
	}()
	if err := <-done; !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "CAP_NET_RAW") {
		t.Errorf("Open without rights: %v, want fs.ErrPermission and the capability's name", err)
	}
}

// TestBindByName is the way of kernels without SO_BINDTOIFINDEX.
func TestBindByName(t *testing.T) {
	s := newSegment(t)
	s.do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := bindByName(fd, s.index, s.name); err != nil {
			t.Errorf("the port: %v", err)
		}
		if err := bindByName(fd, s.index+1, s.name); !errors.Is(err, unix.ENODEV) {
			t.Errorf("a name that now means another port: %v, want ENODEV", err)
		}
		if err := bindByName(fd, s.index, "gone"); !errors.Is(err, unix.ENODEV) {
			t.Errorf("a name that means nothing: %v, want ENODEV", err)
		}
		return nil
	})
}
