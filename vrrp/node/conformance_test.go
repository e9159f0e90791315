package node

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"standfast/vrrp"
)

// What RFC 9568 demands of a router as a whole; the machine alone is proven in package vrrp, where the table is that names
// these tests.

// plain3 is the story in version 3, which takes what version 2 would drop.
func plain3(priority uint8) Instance {
	i := story(priority)
	i.VRRP.Version, i.VRRP.Auth, i.VRRP.Password = vrrp.V3, vrrp.AuthNone, [8]byte{}
	return i
}

// said counts the notes of a router that have a text in them.
func (b *box) said(text string) int {
	n := 0
	for _, note := range b.notes {
		if strings.Contains(note.Text, text) {
			n++
		}
	}
	return n
}

// RFC 9568 §6.4.2: a BACKUP answers for no virtual address and takes no packet for one, since its kernel has none. From the
// first event on, through takeover, goodbye and preemption, only a MASTER holds one, but for the time its kernel needs.
func TestOnlyAMasterHoldsAddresses(t *testing.T) {
	for k, name := range []string{"IPv4", "IPv6"} {
		t.Run(name, func(t *testing.T) {
			config := func(priority uint8) Instance { return dual(priority).Instances[k] }
			w := newPair(t)
			a, b := w.add("A", config(100)), w.add("B", config(50))
			bareSince := map[*box]vrrp.Instant{}
			w.each = func() {
				for _, x := range []*box{a, b} {
					switch {
					case x.dead || x.n == nil || x.is(vrrp.Master) || x.bare():
						bareSince[x] = w.now
					case w.now.Sub(bareSince[x]) > 2*kernelTime:
						w.want(x.name+" holds no address without being MASTER", false)
					}
				}
			}
			b.start()
			w.until("B serves", 20*time.Second, b.serves)
			a.start()
			w.until("A preempts", 20*time.Second, func() bool { return a.serves() && b.bare() })
			w.run(20 * time.Second)
			a.tell(Stop{})
			w.until("B serves after the goodbye", 5*time.Second, func() bool { return b.serves() && a.bare() })
		})
	}
}

// RFC 9568 §6.4.2, §8.1.2, §8.2.2: a router that becomes MASTER speaks first and announces every address, and it announces
// nothing before the kernel has it, nor as a BACKUP, nor after it let go.
func TestAnnouncesWhatIsThere(t *testing.T) {
	for k, name := range []string{"IPv4", "IPv6"} {
		t.Run(name, func(t *testing.T) {
			config := func(priority uint8) Instance { return dual(priority).Instances[k] }
			w := newPair(t)
			a, b := w.add("A", config(100)), w.add("B", config(50))
			announced := map[*box]int{}
			for _, x := range []*box{a, b} {
				x.slow = 40 * time.Millisecond
				x.onAnnounce = func(an Announce) {
					announced[x] += an.Repeat
					w.want(x.name+" announces what it serves", x.is(vrrp.Master) && x.serves())
				}
			}
			a.start()
			var advert vrrp.Instant
			a.onAdvert = func(SendAdvert) {
				if advert == 0 {
					advert = w.now
					w.want("the first advert comes before the addresses", a.bare())
				}
			}
			w.until("A serves", 20*time.Second, a.serves)
			w.run(time.Millisecond)
			w.want("A announced all in its first moment", announced[a] == defaultRepeat && w.now.Sub(advert) < 100*time.Millisecond)
			b.start()
			w.run(20 * time.Second)
			w.want("B announced nothing", announced[b] == 0)
			a.tell(Stop{})
			before := announced[a]
			w.until("B serves", 5*time.Second, b.serves)
			w.run(20 * time.Second)
			w.want("B announced itself, and A nothing any more", announced[b] > 0 && announced[a] == before)
		})
	}
}

// RFC 9568 §7.2: adverts come from the primary IPv4 address or the link-local IPv6 address of the interface and go to the
// group of VRRP. What the operator gives with mcast_src_ip goes before.
func TestSourceAndGroupOfAdverts(t *testing.T) {
	given := story(100)
	given.Source = netip.MustParseAddr("10.255.0.77")
	for _, tt := range []struct {
		name     string
		instance Instance
		src, dst string
	}{
		{"IPv4", story(100), "10.255.0.1", "224.0.0.18"},
		{"IPv6", dual(100).Instances[1], "fe80::4101", "ff02::12"},
		{"given", given, "10.255.0.77", "224.0.0.18"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newPair(t)
			a := w.add("A", tt.instance)
			sent := 0
			a.onAdvert = func(s SendAdvert) {
				sent++
				if s.Src != netip.MustParseAddr(tt.src) || s.Dst != netip.MustParseAddr(tt.dst) || s.Port != cable {
					t.Errorf("an advert from %v to %v on %s, want from %s to %s on %s", s.Src, s.Dst, s.Port, tt.src, tt.dst, cable)
				}
			}
			a.start()
			w.run(20 * time.Second)
			a.tell(Stop{})
			w.want("adverts were sent", sent > 5)
		})
	}
}

// RFC 9568 §7.1: an interval or a list of addresses that differs is logged, seldom, and drops nothing.
func TestDifferencesAreSpokenOf(t *testing.T) {
	interval, addresses := plain3(50), plain3(50)
	interval.VRRP.Interval = 2 * time.Second
	addresses.VRRP.Addresses = addresses.VRRP.Addresses[:2]
	const slower, fewer = "announces an interval of 1s, here it is 2s", "carries other addresses than this router's"
	for _, tt := range []struct {
		name string
		b    Instance
		said map[string]int
	}{
		{"the same", plain3(50), map[string]int{slower: 0, fewer: 0}},
		{"interval", interval, map[string]int{slower: 1, fewer: 0}},
		{"addresses", addresses, map[string]int{slower: 0, fewer: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newPair(t)
			a, b := w.add("A", plain3(100)).start(), w.add("B", tt.b).start()
			w.run(9 * time.Minute)
			w.want("A serves, B obeys", a.serves() && b.bare())
			for text, want := range tt.said {
				if got := b.said(text); got != want {
					t.Errorf("said %d times in nine minutes: %q, want %d", got, text, want)
				}
			}
			w.run(9 * time.Minute)
			for text, want := range tt.said {
				if got := b.said(text); got != 2*want {
					t.Errorf("said %d times in eighteen minutes: %q, want %d", got, text, 2*want)
				}
			}
		})
	}
}

// RFC 9568 §8.3.2 and erratum 8298: an owner takes the adverts of others, and says that they are; a second owner is a mistake.
func TestAdvertsToAnOwnerAreSpokenOf(t *testing.T) {
	const two, other = "says that it owns the addresses, and so does this router", "sends adverts although this router owns the addresses"
	t.Run("two owners", func(t *testing.T) {
		w := newPair(t)
		a, b := w.add("A", story(255)).start(), w.add("B", story(255)).start()
		w.run(time.Minute)
		w.want("one of them serves", w.masters() == 1)
		w.want("and it was said once", a.said(two)+b.said(two) > 0 && a.said(two) <= 1 && b.said(two) <= 1)
	})
	t.Run("one owner", func(t *testing.T) {
		w := newPair(t)
		b := w.add("B", story(50)).start()
		w.until("B serves", 20*time.Second, b.serves)
		a := w.add("A", story(255)).start()
		w.run(time.Minute)
		w.want("the owner serves", a.serves() && b.bare())
		w.want("it said whom it heard", a.said(other) == 1 && a.said(two) == 0)
		w.want("who owns nothing has nothing to say", b.said(other)+b.said(two) == 0)
	})
}

// RFC 9568 §2.5: adverts that come late make the BACKUP a MASTER again and again. The MASTER notices that it is no accident.
func TestRepeatedUsurpersAreSpokenOf(t *testing.T) {
	const said = "becomes MASTER beside this router again and again"
	for _, tt := range []struct {
		name  string
		times int
		every time.Duration
		want  int
	}{
		{"twice", 2, 10 * time.Second, 0},
		{"three times in a minute", 3, 25 * time.Second, 1},
		{"seldom", 10, 31 * time.Second, 0},
		{"for ever", 30, 5 * time.Second, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, a, _ := newStory(t)
			for range tt.times {
				usurper := a.advert(50)
				a.tell(usurper)
				w.run(500 * time.Millisecond)
				a.tell(usurper) // the same appearance still
				w.run(tt.every - 500*time.Millisecond)
			}
			w.want("A serves", a.serves() && a.is(vrrp.Master))
			if got := a.said(said); got != tt.want {
				t.Errorf("said %d times, want %d", got, tt.want)
			}
		})
	}
}

// advert is one that this router would hear of another like it, with that priority.
func (b *box) advert(priority uint8) Frame {
	i := b.cfg.Instances[0]
	f := Frame{Port: i.Port, MAC: MAC{2, 'Z'}, Src: netip.MustParseAddr("10.255.0.9"), Dst: i.VRRP.Family.Group(), TTL: 255}
	var err error
	if f.Payload, err = i.VRRP.Advert(priority).Append(nil, f.Src, f.Dst); err != nil {
		b.w.t.Fatal(err)
	}
	return f
}
