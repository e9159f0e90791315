package lab

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"standfast/hw/hwtest"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// story6 is the story in IPv6, on the first two LANs.
func story6(router string, priority int) []byte {
	return fmt.Appendf(nil, `global_defs {
    router_id %s
}
vrrp_instance VI_6 {
    state BACKUP
    interface p4p1
    virtual_router_id 60
    priority %d
    version 3
    advert_int 1
    virtual_ipaddress {
        fe80::60/64 dev p3p1
        2001:db8:10::1/64 dev p3p1
        2001:db8:20::1/64 dev p3p2
    }
    virtual_routes {
        2001:db8:a::/48 via 2001:db8:10::fe dev p3p1
        2001:db8:b::/48 via 2001:db8:20::fe dev p3p2
    }
}
`, router, priority)
}

// newMeeting6 is a meeting in IPv6. The observer looks at the kernels only.
func newMeeting6(t *testing.T) *meeting {
	t.Helper()
	keepalived(t)
	l := hwtest.New(t)
	p, err := NewPair(l, Options{})
	check(t, err)
	t.Cleanup(func() { check(t, p.Close()) })
	p.A.Config, p.B.Config = story6("RTR-CORE-A", priorityA), story6("RTR-CORE-B", priorityB)
	w := hwtest.Watch{Routers: []*hwtest.Router{p.A.Router, p.B.Router}}
	for i, net := range []string{"2001:db8:10::", "2001:db8:20::"} {
		check(t, p.LANs[i].Switch.AddGateway(netip.MustParsePrefix(net+"fe/64")))
		w.VIPs = append(w.VIPs, hwtest.VIP{Addr: netip.MustParseAddr(net + "1")})
	}
	observer, err := l.Observe(w)
	check(t, err)
	s := newMeetingOf(t, p, observer)
	for _, m := range p.Members() {
		for _, port := range []string{HeartbeatPort, "p3p1", "p3p2"} {
			if !Eventually(settlePatience, func() bool { return linkLocal(m, port) }) {
				t.Fatalf("%s has no link-local address on %s", m.Name(), port)
			}
		}
	}
	return s
}

// linkLocal tells whether a port has a link-local address that was found to be unique.
func linkLocal(m *Member, port string) bool {
	addresses, err := m.Namespace().Kernel().AddrList(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: m.Port(port).Index()}}, unix.AF_INET6)
	if err != nil {
		return false
	}
	for _, a := range addresses {
		if a.IP.IsLinkLocalUnicast() && a.Flags&unix.IFA_F_TENTATIVE == 0 {
			return true
		}
	}
	return false
}

// ready waits until a member's standfast stands by with both LANs calibrated.
func (s *meeting) ready(m *Member) {
	s.t.Helper()
	_, err := m.AwaitStatus(settlePatience, func(st Status) bool {
		n := 0
		for _, port := range st.Ports {
			if port.Calibrated && port.Name != HeartbeatPort {
				n++
			}
		}
		return n == 2 && st.Instances[0].State == "BACKUP"
	})
	check(s.t, err)
}

// TestInteropIPv6 has standfast and keepalived in both roles in IPv6.
func TestInteropIPv6(t *testing.T) {
	t.Parallel()
	hwtest.New(t) // skips where there can be no laboratory
	d := dialect{name: "v3 IPv6"}
	t.Run("standfast is BACKUP", func(t *testing.T) {
		t.Parallel()
		retold(t, func() *meeting { return newMeeting6(t) }, func(s *meeting) {
			since := s.start(s.A, d.keepalived(t, "dont_track_primary"))
			s.start(s.B, d.standfast(t))
			s.holds(SideA, since, masterDownA+2*handling, "keepalived is elected")
			s.ready(s.B)

			since = s.cut()
			s.finds(s.B, "contested")
			s.stillOwned(SideA, since, MasterDown+interval, "cable cut")
			s.mend()
			s.finds(s.B, "none")
			s.went(s.B, s.began, "BACKUP")

			since = s.stop(s.A)
			s.holds(SideB, since, skewB+handling, "standfast serves after the goodbye")
			s.apart(since, 0, "handover by goodbye")
			check(t, s.A.Daemon().Wait())
			since = s.start(s.A, d.keepalived(t, "dont_track_primary"))
			s.holds(SideA, since, masterDownA+2*handling, "keepalived preempts standfast")
			s.apart(since, overlap, "preemption")
			s.ready(s.B)

			since = s.powerOff(s.A)
			const what = "standfast serves after the power-off"
			s.holds(SideB, since, s.slowed(since, TakeoverBound+grain, what), what)
			s.went(s.B, since, "MASTER")
			s.because(s.B, since, "backup-5-peer-dead")
		})
	})
	t.Run("standfast is MASTER", func(t *testing.T) {
		t.Parallel()
		retold(t, func() *meeting { return newMeeting6(t) }, func(s *meeting) {
			since := s.start(s.A, d.standfast(t))
			s.start(s.B, d.keepalived(t))
			s.holds(SideA, since, masterDownA+2*handling, "standfast is elected")
			s.pass(time.Now(), 2*interval)
			s.went(s.B, since, "BACKUP")

			since = s.cut()
			s.enters(s.B, since, "FAULT")
			s.stillOwned(SideA, since, 2*interval, "cable cut")
			s.mend()
			s.enters(s.B, since, "BACKUP")
			s.stillOwned(SideA, since, 2*interval, "cable mended")

			since = s.stop(s.A)
			s.holds(SideB, since, skewB+handling, "keepalived serves after the goodbye")
			s.apart(since, 0, "handover by goodbye")
			check(t, s.A.Daemon().Wait())
			since = s.start(s.A, d.standfast(t))
			s.holds(SideA, since, masterDownA+2*handling, "standfast preempts keepalived")
			s.apart(since, overlap, "preemption")
			since = s.powerOff(s.B)
			s.stillOwned(SideA, since, 2*interval, "BACKUP without power")
		})
	})
}
