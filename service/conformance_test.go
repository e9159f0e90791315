package service

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"standfast/vrrp"
)

// RFC 9568 §6.4.2 and §8: what a new MASTER announces, on the port where it is served, in both families: the port's own hardware
// address, and that it routes where it does.
func TestAnnouncedAs(t *testing.T) {
	for name, endpoint := range map[string]bool{"router": false, "endpoint": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair()
				p.a.configure(groupFile(100))
				p.b.configure(groupFile(50))
				p.b.endpoint = endpoint
				_, b, ended := p.steady(t)
				vips := map[string]netip.Addr{"lan0": netip.MustParseAddr("192.0.2.1"), "lan1": netip.MustParseAddr("fe80::1")}
				for port := range vips {
					if got := p.b.ports[port].claimed(); len(got) > 0 {
						t.Errorf("the BACKUP announced %v on %s", got, port)
					}
				}
				p.a.powerOff()
				time.Sleep(4 * time.Second)
				synctest.Wait()
				wantState(t, b, vrrp.Master)
				for port, vip := range vips {
					x := p.b.ports[port]
					p.b.world.mu.Lock()
					got := slices.Clone(x.announce)
					p.b.world.mu.Unlock()
					want := claim{addr: vip, mac: [6]byte(x.state.MAC), router: !endpoint}
					if len(got) == 0 || slices.ContainsFunc(got, func(c claim) bool { return c != want }) {
						t.Errorf("announced on %s: %v, want %v each time", port, got, want)
					}
				}
				ended()
			})
		})
	}
}
