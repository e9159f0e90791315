package service

import (
	"testing"
	"testing/synctest"
	"time"

	"standfast/hw/ethtool"
	"standfast/vrrp"
)

// A driver that reports the carrier late is asked for the link, by a BACKUP; one that does not is left alone.
func TestLateCarrier(t *testing.T) {
	for _, c := range []struct {
		driver string
		asks   bool
	}{{"e1000", true}, {"e1000e", false}} {
		t.Run(c.driver, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair()
				for _, h := range []*twinHost{p.a, p.b} {
					h.drivers.driver = c.driver
					h.drivers.link["cable"] = ethtool.Link{Carrier: ethtool.Up}
				}
				_, b, ended := p.steady(t)
				before := map[*twinHost]int{p.a: p.a.questions("link cable"), p.b: p.b.questions("link cable")}
				time.Sleep(10 * time.Second)
				if n := p.a.questions("link cable") - before[p.a]; n > 4 {
					t.Errorf("the MASTER's driver was asked %d times in 10 s", n)
				}
				if n := p.b.questions("link cable") - before[p.b]; (n > 150) != c.asks || n > 210 {
					t.Errorf("the BACKUP's driver was asked %d times in 10 s", n)
				}
				// A has no power, and B's carrier stays.
				p.mu.Lock()
				p.a.dead = true
				p.b.drivers.link["cable"] = ethtool.Link{Carrier: ethtool.Down}
				p.mu.Unlock()
				time.Sleep(linkPoll + 40*time.Millisecond)
				synctest.Wait()
				if c.asks {
					wantState(t, b, vrrp.Master)
				} else {
					wantState(t, b, vrrp.Backup)
				}
				ended()
			})
		})
	}
}

// A link that is gone says no more than a carrier that is: while the peer answers, nothing moves.
func TestLateCarrierOfACutCable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		p.b.drivers.driver = "e1000"
		p.b.drivers.link["cable"] = ethtool.Link{Carrier: ethtool.Up}
		a, b, ended := p.steady(t)
		p.mu.Lock()
		p.b.drivers.link["cable"] = ethtool.Link{Carrier: ethtool.Down}
		p.mu.Unlock()
		time.Sleep(2 * time.Second)
		p.cutCable(p.cable)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		wantState(t, a, vrrp.Master)
		wantState(t, b, vrrp.Backup)
		ended()
	})
}

// questions is how often a driver was asked.
func (h *twinHost) questions(what string) int {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	return h.drivers.asked[what]
}
