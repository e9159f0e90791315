package node

import (
	"testing"
	"time"

	"standfast/vrrp"
)

// TestReloadOfTheRefresh: the period of announcements is changed, taken away and given again by a reload, and is kept each time.
func TestReloadOfTheRefresh(t *testing.T) {
	every := func(d time.Duration) Config {
		return Config{Instances: []Instance{with(100, func(i *Instance) { i.Announce.Refresh = d })}}
	}
	w := newPair(t)
	a := w.add("A", every(10*time.Second).Instances...).start()
	w.until("A serves", 20*time.Second, a.serves)
	w.run(time.Second)
	told := 0
	a.onAnnounce = func(Announce) { told++ }
	for _, test := range []struct {
		every, during time.Duration
		want          int
	}{
		{10 * time.Second, 35 * time.Second, 3}, {0, time.Minute, 0}, {5 * time.Second, 21 * time.Second, 4}, {2 * time.Second, 5 * time.Second, 2},
	} {
		a.cfg = every(test.every)
		a.tell(Reload{Config: a.cfg})
		told = 0
		w.run(test.during)
		if told != test.want {
			t.Errorf("garp_master_refresh %v: %d announcements in %v, want %d", test.every, told, test.during, test.want)
		}
	}
}

// TestContestWithoutBudget: a router that would take a contested address but gave way a moment ago does not come back to it
// before it can afford to ask again, however short its intervals. The other hangs, and its kernel answers for it.
func TestContestWithoutBudget(t *testing.T) {
	w := newPair(t)
	quick := func(priority uint8) Instance {
		return with(priority, func(i *Instance) {
			i.VRRP.Version, i.VRRP.Auth, i.VRRP.Password, i.VRRP.Interval = vrrp.V3, vrrp.AuthNone, [8]byte{}, 100*time.Millisecond
			i.Contested, i.Wait, i.Lease = ContestedTake, waitMin, 0
		})
	}
	a, b := w.add("A", quick(255)), w.add("B", quick(254))
	a.start()
	b.start()
	w.run(15 * time.Second)
	muteA := func(mute bool) {
		for _, l := range w.lans {
			l.muted[a] = mute
		}
	}
	a.paused = true
	muteA(true)
	w.until("B takes over from a silence", 10*time.Second, b.serves)
	muteA(false)
	w.until("B gives way to who answers", 10*time.Second, b.bare)
	var woken []vrrp.Instant
	worst := 0
	b.onStep = func(e Event, _ []Action) {
		if e == (Expired{}) {
			woken = within(append(woken, w.now), w.now, time.Second)
			worst = max(worst, len(woken))
		}
	}
	w.run(30 * time.Second)
	if worst > 80 {
		t.Errorf("%d wake-ups within a second, want at most 80", worst)
	}
}

// TestReloadBeforeTheStart: what is read again while an instance still waits for its first carrier is what it starts with.
func TestReloadBeforeTheStart(t *testing.T) {
	w := newPair(t)
	a := w.add("A", story(50))
	a.carrier[cable] = false
	a.start()
	a.cfg = Config{Instances: []Instance{with(255, func(i *Instance) { i.VRRP.Interval = 2 * time.Second })}}
	a.tell(Reload{Config: a.cfg})
	w.run(20 * time.Second)
	if s := a.n.instances[0].machine.Status(); s.Priority != 255 || s.MasterInterval != 2*time.Second {
		t.Errorf("it runs at priority %d every %v", s.Priority, s.MasterInterval)
	}
}
