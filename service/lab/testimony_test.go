package lab

import (
	"slices"
	"testing"
	"time"

	"standfast/hw/hwtest"
)

// TestPortsTestify has ports of real daemons fail and come back: status names what is wrong with them, holds nothing against any
// other, and nothing against any of them while they are well.
func TestPortsTestify(t *testing.T) {
	t.Parallel()
	s := settled(t)
	serves := s.LANs[0].Port
	wait := func(m *Member, port, carrier, culprit string) {
		t.Helper()
		_, err := m.AwaitStatus(20*time.Second, func(st Status) bool {
			i := slices.IndexFunc(st.Ports, func(p PortStatus) bool { return p.Name == port })
			p := st.Ports[i]
			return p.Carrier == carrier && p.Culprit == culprit && p.Driver == "tun" && len(p.Facts) == 0 && len(p.Unanswered) == 0
		})
		check(t, err)
	}
	for _, m := range s.Members() {
		wait(m, "p4p1", "up", "")
		wait(m, serves, "up", "")
	}
	check(t, s.Cable.Cut())
	for _, m := range s.Members() {
		wait(m, "p4p1", "down", "p4p1: no carrier")
		wait(m, serves, "up", "")
	}
	check(t, s.Cable.Mend())
	wait(s.A, "p4p1", "up", "")
	kernel := s.A.Namespace().Kernel()
	link, err := s.A.Namespace().Link(serves)
	check(t, err)
	check(t, kernel.LinkSetDown(link))
	wait(s.A, serves, "admin-down", serves+": administratively down")
	wait(s.A, "p4p1", "up", "")
	_, err = s.observer.Await(settlePatience, func(sample hwtest.Sample) bool { return Held(sample, SideB) })
	check(t, err)
	check(t, kernel.LinkSetUp(link))
	wait(s.A, serves, "up", "")
}
