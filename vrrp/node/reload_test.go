package node

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"standfast/vrrp"
)

// The machine waits for a ruling as long as the longest burst takes, and one round more.
func TestPatienceWithTheJudge(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		rounds int
		wait   time.Duration
		want   time.Duration
	}{{0, 0, 300 * ms}, {3, 0, 300 * ms}, {1, 0, 200 * ms}, {10, 0, 650 * ms}, {3, 50 * ms, 300 * ms}, {3, 51 * ms, 306 * ms}, {3, 10 * ms, 300 * ms}} {
		if got := patience(Instance{Rounds: c.rounds, Wait: c.wait}); got != c.want {
			t.Errorf("%d rounds of %v: %v, want %v", c.rounds, c.wait, got, c.want)
		}
	}
}

// An instance serves on the ports of its addresses, routes and tracks, each once; on its heartbeat port only where an address is.
func TestServingPorts(t *testing.T) {
	v := func(a string, p Port) VIP { return VIP{Prefix: netip.MustParsePrefix(a), Port: p} }
	for _, c := range []struct {
		name string
		cfg  Instance
		want map[Port]int // addresses
		list []Port
	}{
		{"addresses", Instance{Port: cable, VIPs: []VIP{v("10.0.0.1/24", "b"), v("10.0.0.2/24", "a"), v("10.0.0.3/24", "b")}}, map[Port]int{"a": 1, "b": 2}, []Port{"b", "a"}},
		{"routes and tracks", Instance{Port: cable, VIPs: []VIP{v("10.0.0.1/24", "a")}, Routes: []Port{"a", "r", ""}, Track: []Port{"t", "r"}}, map[Port]int{"a": 1}, []Port{"a", "r", "t"}},
		{"the heartbeat port is tracked", Instance{Port: cable, Routes: []Port{cable}, Track: []Port{cable}}, nil, nil},
		{"the heartbeat port serves", Instance{Port: cable, VIPs: []VIP{v("10.0.0.1/24", cable)}, Track: []Port{cable}}, map[Port]int{cable: 1}, []Port{cable}},
	} {
		n := New(0, Config{})
		witnessed := stamp{5, true}
		had := []*service{{port: newPort("a"), witnessed: witnessed}, {port: newPort("x")}}
		var list []Port
		for _, s := range n.services(c.cfg, had) {
			list = append(list, s.port.name)
			if s.vips != c.want[s.port.name] || s.port != n.byName[s.port.name] || (s.witnessed == witnessed) != (s.port.name == "a") {
				t.Errorf("%s: %s has %d addresses, witnessed %v", c.name, s.port.name, s.vips, s.witnessed)
			}
		}
		if !slices.Equal(list, c.list) {
			t.Errorf("%s: %v, want %v", c.name, list, c.list)
		}
	}
}

// A configured witness belongs to its port, or to each port that has an address in whose subnet it lies.
func TestConfiguredWitnesses(t *testing.T) {
	for _, c := range []struct {
		w    Witness
		want []Port
	}{
		{Witness{Addr: addr("192.168.10.9"), Port: "p3p2"}, []Port{"p3p2"}},
		{Witness{Addr: addr("192.168.20.9")}, []Port{"p3p2"}},
		{Witness{Addr: addr("10.0.0.9")}, nil},
	} {
		n := single(t, with(50, func(i *Instance) { i.Witnesses = []Witness{c.w} }))
		var got []Port
		for _, p := range ports {
			if slices.Contains(n.byName[p].witnesses, c.w.Addr) && n.byName[p].ranks[c.w.Addr] == rankConfigured {
				got = append(got, p)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: on %v, want %v", c.w, got, c.want)
		}
	}
}

// A reload keeps what has the same interface, number and family; what is gone says goodbye, and ports that nobody uses are forgotten.
func TestWhatAReloadKeeps(t *testing.T) {
	n, _ := established(t, neighbours(100).Instances...)
	kept, gone := n.instances[0], n.instances[1]
	n.inquiries = []*inquiry{{}}
	next := lone(100, 0)
	next.Name = "renamed"
	fresh := lone(100, 2)
	fresh.VRRP.VRID = 60
	n.takeReload(Reload{Config: Config{Instances: []Instance{next, fresh}}})
	if len(n.instances) != 2 || n.instances[0] != kept || kept.cfg.Name != "renamed" || kept.state() != vrrp.Master || n.byKey[kept.cfg.Key()] != kept {
		t.Errorf("what has the same key is another: %v", n.instances)
	}
	if n.byKey[gone.cfg.Key()] != nil || gone.state() != vrrp.Initialize || gone.reason != "removed from the configuration" || gone.kernel.holding {
		t.Errorf("what is gone is %v, %q", gone.state(), gone.reason)
	}
	if added := n.instances[1]; added.running || added.born != n.now || added.cfg.VRRP.Patience != 300*time.Millisecond {
		t.Errorf("what is new runs: %+v", added)
	}
	var names []Port
	for _, p := range n.ports {
		names = append(names, p.name)
		if p.heart != (p.name == cable) || p.serving == (p.name == cable) {
			t.Errorf("%s: heartbeat %v, serving %v", p.name, p.heart, p.serving)
		}
	}
	if want := []Port{"p1p1", "p3p1", cable}; !slices.Equal(names, want) || len(n.byName) != len(want) {
		t.Errorf("ports %v, want %v", names, want)
	}
	goodbyes := 0
	for _, a := range n.out {
		if s, ok := a.(SendAdvert); ok && s.Key == gone.cfg.Key() && s.Payload[2] == 0 {
			goodbyes++
		}
	}
	if goodbyes != 1 || !slices.Contains(n.out, Action(ReadPorts{})) || len(n.inquiries) > 0 {
		t.Errorf("%d goodbyes, inquiries %v, %v", goodbyes, n.inquiries, n.out)
	}
}

// The kernel is asked again where addresses, routes or the lease changed, and only if they are there.
func TestWhatAReloadInstalls(t *testing.T) {
	for _, c := range []struct {
		name    string
		holding bool
		change  func(*Instance)
		want    []string
	}{
		{"nothing changed", true, func(i *Instance) {}, nil},
		{"the name changed", true, func(i *Instance) { i.Name = "other" }, nil},
		{"an address", true, func(i *Instance) { i.VIPs = i.VIPs[:2] }, []string{"install 3s []"}},
		{"a route", true, func(i *Instance) { i.Routes = nil }, []string{"install 3s []"}},
		{"the lease", true, func(i *Instance) { i.Lease = 7 * time.Second }, []string{"install 7s []"}},
		{"an address of a BACKUP", false, func(i *Instance) { i.VIPs = i.VIPs[:2] }, nil},
	} {
		n, i := established(t, story(100))
		i.kernel.holding = c.holding
		next := with(100, c.change)
		n.takeReload(Reload{Config: Config{Instances: []Instance{next}}})
		if got := changes(n.out); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// What a router learnt of half a service is learnt again after a reload, and the announcements of a BACKUP are not begun by one.
func TestWhatAReloadForgets(t *testing.T) {
	cfg := with(50, func(i *Instance) { i.VRRP.Preempt = false })
	n := single(t, cfg)
	i := n.instances[0]
	i.displaces = true
	cfg.Announce.Refresh = time.Minute
	n.takeReload(Reload{Config: Config{Instances: []Instance{cfg}}})
	if i.displaces || i.mastery.refresh.ok {
		t.Errorf("displaces %v, announces %v", i.displaces, i.mastery.refresh)
	}
}

// A new priority counts from the reload on.
func TestReloadOfThePriority(t *testing.T) {
	n, i := established(t, story(100))
	n.Step(n.now, Reload{Config: Config{Instances: []Instance{story(70)}}})
	if got := i.machine.Status().Priority; got != 70 {
		t.Errorf("the priority is %d", got)
	}
}

// A group whose members are nowhere is none; one that was there before goes on in its state.
func TestGroupsOfAReload(t *testing.T) {
	b := newPair(t).add("B")
	b.cfg = group2(50)
	n := b.start().n
	c := group2(50)
	c.Groups = append(c.Groups, Group{Name: "nobody", Members: []Key{{Port: "eth7"}}})
	n.groups[0].state = vrrp.Master
	n.takeReload(Reload{Config: c})
	if len(n.groups) != 1 || n.groups[0].state != vrrp.Master || len(n.groups[0].members) != 2 {
		t.Fatalf("groups %v", n.groups)
	}
	for _, i := range n.instances {
		if i.group != n.groups[0] {
			t.Errorf("%v is of another group", i.cfg.Key())
		}
	}
	c.Groups[0].Name = "renamed"
	n.takeReload(Reload{Config: c})
	if n.groups[0].state != vrrp.Backup {
		t.Errorf("another group begins as %v, not as what its members share", n.groups[0].state)
	}
	c.Groups = nil
	n.takeReload(Reload{Config: c})
	if len(n.groups) > 0 || n.instances[0].group != nil {
		t.Error("a group that is gone is kept")
	}
}

// After the end nothing is reloaded and nothing asked; every instance says goodbye, once.
func TestStop(t *testing.T) {
	n, i := established(t, neighbours(100).Instances...)
	n.inquiries, n.due = []*inquiry{{}}, n.now
	out := n.Step(n.now, Stop{})
	goodbyes := 0
	for _, a := range out {
		if s, ok := a.(SendAdvert); ok && s.Payload[2] == 0 {
			goodbyes++
		}
		if m, ok := a.(Transition); ok && (m.To != vrrp.Initialize || m.Reason != "stopped") {
			t.Errorf("transition %+v", m)
		}
	}
	if got := changes(out); goodbyes != 2 || !slices.Equal(got, []string{"withdraw", "withdraw"}) || len(n.inquiries) > 0 {
		t.Errorf("%d goodbyes, %v, inquiries %v", goodbyes, got, n.inquiries)
	}
	if out := n.Step(n.now.Add(time.Hour), Reload{Config: Config{Instances: []Instance{story(100)}}}); len(out) > 0 || len(n.instances) != 2 {
		t.Errorf("a reload after the end: %v", out)
	}
	if out := n.Step(n.now.Add(time.Hour), Expired{}); len(out) > 0 || i.state() != vrrp.Initialize {
		t.Errorf("an hour after the end: %v", out)
	}
}
