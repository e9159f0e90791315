package lab

import "testing"

// TestFabric puts the LANs on switches that answer ARP instead of the routers, or keep questions from them. Either way the
// BACKUP must see through the fabric whether the MASTER lives.
func TestFabric(t *testing.T) {
	t.Parallel()
	for _, fabric := range []struct {
		name string
		// addresses: a switch answers nobody who asks from 0.0.0.0, so to be deceived the routers need their own.
		addresses bool
		remembers bool
	}{
		{"suppresses questions", false, false},
		{"suppresses questions, routers have addresses", true, false},
		{"answers for the dead", true, true},
	} {
		t.Run(fabric.name, func(t *testing.T) {
			t.Parallel()
			retold(t, func() *meeting {
				s := newMeeting(t, Options{Addresses: fabric.addresses})
				for _, lan := range s.LANs {
					port := s.A.Port(lan.Port)
					check(t, lan.Switch.Suppress(port, true))
					if fabric.remembers {
						check(t, lan.Switch.Remember(lan.VIP.Addr(), port))
					}
				}
				return s
			}, func(s *meeting) {
				d := Standfast(product(t))
				s.start(s.A, d)
				s.start(s.B, d)
				s.settle(SideA)

				since := s.cut()
				s.finds(s.B, "contested")
				s.stillOwned(SideA, since, MasterDown+interval, "cable cut")
				s.went(s.B, since)
				since = s.mend()
				s.finds(s.B, "none")
				s.stillOwned(SideA, since, 2*interval, "cable mended")

				meter := s.meter(s.B)
				since = s.powerOff(s.A)
				s.serves(meter, since, TakeoverBound, "BACKUP serves after the power-off")
				s.went(s.B, since, "MASTER")
				s.apart(since, 0, "power-off")
				s.pass(since, MasterDown)
				s.went(s.B, since, "MASTER")
				s.because(s.B, since, "backup-5-peer-dead")
			})
		})
	}
}
