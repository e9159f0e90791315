package service

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"standfast/hw/address"
	"standfast/vrrp"
	"standfast/vrrp/node"
)

func vip(prefix string) address.VIP {
	return address.VIP{Prefix: netip.MustParsePrefix(prefix), Index: 1}
}

func route(dst string) address.Route {
	return address.Route{Dst: netip.MustParsePrefix(dst), Index: 1}
}

var (
	keyOne = node.Key{Port: "cable", VRID: 1, Family: vrrp.IPv4}
	keyTwo = node.Key{Port: "cable", VRID: 2, Family: vrrp.IPv4}
)

func newMutator() (*mutator, *twinHost) {
	h := newWorld().host("a")
	m := &mutator{
		box: newMailbox(), holdings: newHoldings(),
		have: map[node.Key]inventory{}, unsure: map[node.Key]bool{}, foreign: foreign{},
	}
	return m, h
}

func present(key node.Key, vips []address.VIP, routes ...address.Route) wish {
	return wish{key: key, present: true, vips: vips, routes: routes, lease: 3 * time.Second}
}

// What the mutator does to the kernel for one wish after another.
func TestMutator(t *testing.T) {
	a, b, sibling := vip("192.0.2.1/24"), vip("198.51.100.1/24"), vip("192.0.2.2/24")
	labelled := a
	labelled.Label = "x"
	r := route("203.0.113.0/24")
	delta := func(w wish) wish { w.delta = true; return w }
	for name, c := range map[string]struct {
		wishes []wish
		want   []string // what the last wish did
	}{
		"routes come after addresses": {
			[]wish{present(keyOne, []address.VIP{a, b}, r)},
			[]string{"add 192.0.2.1/24 3s", "add 198.51.100.1/24 3s", "route 203.0.113.0/24"},
		},
		"routes leave before addresses": {
			[]wish{present(keyOne, []address.VIP{a, b}, r), {key: keyOne}},
			[]string{"unroute 203.0.113.0/24", "drop 192.0.2.1/24", "drop 198.51.100.1/24"},
		},
		"what was never there needs no removal": {[]wish{{key: keyOne}}, nil},
		"without delta everything is set again": {
			[]wish{present(keyOne, []address.VIP{a}, r), present(keyOne, []address.VIP{a}, r)},
			[]string{"renew 192.0.2.1/24 3s", "route 203.0.113.0/24"},
		},
		"with delta only what is new is set": {
			[]wish{present(keyOne, []address.VIP{a}, r), delta(present(keyOne, []address.VIP{a, b}, r))},
			[]string{"add 198.51.100.1/24 3s"},
		},
		"a removal may have taken siblings and routes along": {
			[]wish{present(keyOne, []address.VIP{a, b, sibling}, r), delta(present(keyOne, []address.VIP{b, sibling}, r))},
			[]string{"drop 192.0.2.1/24", "add 192.0.2.2/24 3s", "route 203.0.113.0/24"},
		},
		"another label is another address": {
			[]wish{present(keyOne, []address.VIP{a}), delta(present(keyOne, []address.VIP{labelled}))},
			[]string{"drop 192.0.2.1/24", "add 192.0.2.1/24 3s"},
		},
		"what two instances share stays with the other": {
			[]wish{present(keyOne, []address.VIP{a}, r), present(keyTwo, []address.VIP{a}, r), {key: keyOne}},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, h := newMutator()
			for i, w := range c.wishes {
				if i == len(c.wishes)-1 {
					h.did()
				}
				if err := m.perform((*twinKernel)(h), w); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(c.want, h.did()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// After a failure nothing is taken for granted, and nothing is forgotten.
func TestMutatorAfterFailure(t *testing.T) {
	m, h := newMutator()
	a := vip("192.0.2.1/24")
	h.refuse = syscall.EBUSY
	if err := m.perform((*twinKernel)(h), present(keyOne, []address.VIP{a})); !errors.Is(err, syscall.EBUSY) {
		t.Fatalf("got %v, want EBUSY", err)
	}
	h.refuse = nil
	h.did()
	again := present(keyOne, []address.VIP{a})
	again.delta = true
	if err := m.perform((*twinKernel)(h), again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"add 192.0.2.1/24 3s"}, h.did()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A newer wish ends an older one on the way.
func TestMutatorIsSuperseded(t *testing.T) {
	m, h := newMutator()
	m.box.put(wish{key: keyOne})
	err := m.perform((*twinKernel)(h), present(keyOne, []address.VIP{vip("192.0.2.1/24")}))
	if !errors.Is(err, errSuperseded) {
		t.Fatalf("got %v, want errSuperseded", err)
	}
	w, _ := m.box.take()
	if err := m.perform((*twinKernel)(h), w); err != nil {
		t.Fatal(err)
	}
	if held := h.holds(); len(held) > 0 {
		t.Errorf("the kernel holds %v", held)
	}
}

func TestMailboxKeepsTheNewestInOrder(t *testing.T) {
	m := newMailbox()
	m.put(wish{key: keyOne, lease: 1})
	m.put(wish{key: keyTwo, lease: 2})
	m.put(wish{key: keyOne, lease: 3})
	var got []time.Duration
	for w, ok := m.take(); ok; w, ok = m.take() {
		got = append(got, w.lease)
	}
	if want := []time.Duration{3, 2}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// newActors is both actors on one kernel, as the service has them.
func newActors(t *testing.T, h *twinHost) (mutations, leases *mailbox, answers chan answer) {
	m := &mutator{
		box: newMailbox(), holdings: newHoldings(),
		have: map[node.Key]inventory{}, unsure: map[node.Key]bool{}, foreign: foreign{},
	}
	r := &renewer{box: newMailbox(), holdings: m.holdings}
	answers = make(chan answer, 16)
	for _, a := range []*actor{
		{box: m.box, perform: m.perform, persistent: true, failed: map[node.Key]wish{}},
		{box: r.box, perform: r.perform},
	} {
		a.kernel, a.now, a.answer = (*twinKernel)(h), h.edges().now, func(x answer) { answers <- x }
		go a.run(t.Context())
	}
	return m.box, r.box, answers
}

func asked(w wish) wish {
	w.done = func(err error, took time.Duration) answer {
		return answer{key: w.key, event: node.Installed{Key: w.key, Serving: serving(err), Err: sentence(err), Took: took}}
	}
	return w
}

// A renewal that waits in the kernel while the addresses are withdrawn does not
// bring them back.
func TestRenewalNeverFollowsAWithdrawal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newWorld().host("a")
		mutations, leases, answers := newActors(t, h)
		w := present(keyOne, []address.VIP{vip("192.0.2.1/24"), vip("198.51.100.1/24")})
		mutations.put(asked(w))
		<-answers
		release := make(chan struct{})
		h.stuck = release
		leases.put(w)
		synctest.Wait() // the renewal waits for the kernel
		leases.put(wish{key: keyOne})
		mutations.put(asked(wish{key: keyOne}))
		synctest.Wait()
		close(release)
		h.world.mu.Lock()
		h.stuck = nil
		h.world.mu.Unlock()
		<-answers
		synctest.Wait()
		leases.put(w) // one that comes too late altogether
		synctest.Wait()
		if held := h.holds(); len(held) > 0 {
			t.Errorf("the kernel holds %v after the withdrawal", held)
		}
		if slices.Contains(h.did(), "renew 198.51.100.1/24 3s") {
			t.Error("the renewal went on after the withdrawal had begun")
		}
	})
}

// A mutation that is stuck does not hold up the renewal of what is there.
func TestRenewalPassesAStuckMutation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newWorld().host("a")
		mutations, leases, answers := newActors(t, h)
		mine := present(keyOne, []address.VIP{vip("192.0.2.1/24")})
		mutations.put(asked(mine))
		<-answers
		h.stuck = make(chan struct{})
		mutations.put(present(keyTwo, []address.VIP{vip("198.51.100.1/24")}))
		synctest.Wait()
		stuck := h.stuck
		h.world.mu.Lock()
		h.stuck = nil
		h.world.mu.Unlock()
		h.did()
		leases.put(asked(mine))
		<-answers
		if diff := cmp.Diff([]string{"renew 192.0.2.1/24 3s"}, h.did()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		close(stuck)
		synctest.Wait()
	})
}

// What the kernel refuses is tried again until it takes it, and said each time.
func TestActorTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newWorld().host("a")
		mutations, _, answers := newActors(t, h)
		h.refuse = syscall.EBUSY
		mutations.put(asked(present(keyOne, []address.VIP{vip("192.0.2.1/24")})))
		for range 3 { // at once, after 0.5 s, after 1 s more
			if a := <-answers; !a.failed {
				t.Fatalf("answer %+v, want a failure", a)
			}
		}
		h.world.mu.Lock()
		h.refuse = nil
		h.world.mu.Unlock()
		begun := time.Now()
		if a := <-answers; a.failed {
			t.Fatalf("answer %+v, want success", a)
		}
		if waited, want := time.Since(begun), 4*wishAgain; waited != want {
			t.Errorf("the third try came after %v, want %v", waited, want)
		}
	})
}
