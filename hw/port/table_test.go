package port

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Messages for the table, by the index of a port and what happened to it.

func newLink(index int, name string) message {
	return message{kind: unix.RTM_NEWLINK, body: linkBody(index, unix.IFF_UP|unix.IFF_LOWER_UP, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.IFLA_IFNAME, name)
	})}
}

func delLink(index int, name string) message {
	m := newLink(index, name)
	m.kind = unix.RTM_DELLINK
	return m
}

func newAddress(index int, prefix string) message {
	p := netip.MustParsePrefix(prefix)
	return message{kind: unix.RTM_NEWADDR, body: addressBody(index, unix.AF_INET, uint8(p.Bits()), 0, func(ae *netlink.AttributeEncoder) {
		ae.Bytes(unix.IFA_LOCAL, p.Addr().AsSlice())
	})}
}

func delAddress(index int, prefix string) message {
	m := newAddress(index, prefix)
	m.kind = unix.RTM_DELADDR
	return m
}

// unusable marks the address of a message as under duplicate address detection.
func unusable(m message) message {
	m.body[2] |= unix.IFA_F_TENTATIVE
	return m
}

func up(index int, name string, addresses ...string) State {
	s := State{Index: index, Name: name, Present: true, AdminUp: true, Carrier: CarrierUp}
	for _, a := range addresses {
		s.Addresses = append(s.Addresses, netip.MustParsePrefix(a))
	}
	return s
}

func TestTable(t *testing.T) {
	const a, b = "192.0.2.1/24", "192.0.2.2/24"
	gone := func(index int, prefix string) AddressGone {
		return AddressGone{Index: index, Prefix: netip.MustParsePrefix(prefix)}
	}
	for _, c := range []struct {
		name  string
		known []State // told before
		heard []message
		want  Change
	}{
		{"a new port", nil, []message{newLink(2, "p1")}, Change{States: []State{up(2, "p1")}}},
		{"the same again", []State{up(2, "p1")}, []message{newLink(2, "p1")}, Change{}},
		{"a link report keeps the addresses", []State{up(2, "p1", a)}, []message{newLink(2, "p9")}, Change{States: []State{up(2, "p9", a)}}},
		{"two names swapped", []State{up(2, "p1"), up(3, "p2")}, []message{newLink(2, "tmp"), newLink(3, "p1"), newLink(2, "p2")},
			Change{States: []State{up(2, "p2"), up(3, "p1")}}},
		{"removed", []State{up(2, "p1", a)}, []message{delLink(2, "p1")}, Change{Removed: []int{2}}},
		{"removed with its addresses", []State{up(2, "p1", a)}, []message{delAddress(2, a), delLink(2, "p1")},
			Change{Removed: []int{2}, Deleted: []AddressGone{gone(2, a)}}},
		{"removed and made again", []State{up(2, "p1", a)}, []message{delLink(2, "p1"), newLink(7, "p1")},
			Change{Removed: []int{2}, States: []State{up(7, "p1")}}},
		{"removed and made again, same index", []State{up(2, "p1", a)}, []message{delLink(2, "p1"), newLink(2, "p1")},
			Change{Removed: []int{2}, States: []State{up(2, "p1")}}},
		{"come and gone between two readings", nil, []message{newLink(2, "p1"), delLink(2, "p1")}, Change{}},
		{"the removal of a port nobody knew", nil, []message{delLink(2, "p1")}, Change{}},
		{"an address", []State{up(2, "p1", a)}, []message{newAddress(2, b)}, Change{States: []State{up(2, "p1", a, b)}}},
		{"an address renewed", []State{up(2, "p1", a)}, []message{newAddress(2, a)}, Change{}},
		{"an address put to the test again", []State{up(2, "p1", a, b)}, []message{unusable(newAddress(2, a))}, Change{States: []State{up(2, "p1", b)}}},
		{"an address that fails its test", []State{up(2, "p1")}, []message{unusable(newAddress(2, a)), unusable(delAddress(2, a))}, Change{}},
		{"an address on no port", nil, []message{newAddress(2, a)}, Change{}},
		{"an address lost", []State{up(2, "p1", a, b)}, []message{delAddress(2, a)},
			Change{States: []State{up(2, "p1", b)}, Deleted: []AddressGone{gone(2, a)}}},
		{"an address lost and found", []State{up(2, "p1", a)}, []message{delAddress(2, a), newAddress(2, a)},
			Change{Deleted: []AddressGone{gone(2, a)}}},
		{"an address lost that was never there", []State{up(2, "p1")}, []message{delAddress(2, a)}, Change{}},
		{"something else", []State{up(2, "p1")}, []message{{kind: unix.RTM_NEWROUTE, body: make([]byte, 64)}}, Change{}},
		{"something broken", []State{up(2, "p1")}, []message{{kind: unix.RTM_DELLINK}, {kind: unix.RTM_NEWADDR}}, Change{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			picture, told := table{}, table{}
			for _, s := range c.known {
				picture[s.Index], told[s.Index] = s, s
			}
			var got Change
			for _, m := range c.heard {
				picture.apply(m, &got)
			}
			picture.news(told, &got)
			if diff := cmp.Diff(c.want, got, prefixes); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(picture.states(), told.states(), prefixes); diff != "" {
				t.Errorf("what was told is not the picture (-picture +told):\n%s", diff)
			}
		})
	}
}

func TestStatesHandedOutAreNotChangedLater(t *testing.T) {
	picture, told := table{}, table{}
	var first Change
	for _, m := range []message{newLink(2, "p1"), newAddress(2, "192.0.2.1/24"), newAddress(2, "192.0.2.2/24")} {
		picture.apply(m, &first)
	}
	picture.news(told, &first)
	want := up(2, "p1", "192.0.2.1/24", "192.0.2.2/24")
	var c Change
	for _, m := range []message{delAddress(2, "192.0.2.1/24"), newAddress(2, "192.0.2.3/24")} {
		picture.apply(m, &c)
	}
	if got := first.States[0]; !got.Equal(want) {
		t.Error(cmp.Diff(want, got, prefixes))
	}
}

func TestFullReading(t *testing.T) {
	const a, b = "192.0.2.1/24", "192.0.2.2/24"
	before := table{2: up(2, "p1", a, b), 3: up(3, "p2"), 4: up(4, "p3", a)}
	fresh := table{2: up(2, "p1", b), 3: up(3, "p2")}

	c := Change{Resync: true, Deleted: before.lost(fresh)}
	fresh.news(before, &c)
	want := Change{
		Resync:  true,
		Removed: []int{4},
		States:  []State{up(2, "p1", b), up(3, "p2")},
		Deleted: []AddressGone{{Index: 2, Prefix: netip.MustParsePrefix(a)}},
	}
	if diff := cmp.Diff(want, c, prefixes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestInconsistentReading: what a list that changed under way does not have is not gone.
func TestInconsistentReading(t *testing.T) {
	const a, b = "192.0.2.1/24", "192.0.2.2/24"
	before := table{2: up(2, "p1", a), 3: up(3, "p2", a)}
	fresh := table{2: up(2, "p9", b)}
	fresh.keep(before)
	want := []State{up(2, "p9", b, a), up(3, "p2", a)}
	if diff := cmp.Diff(want, fresh.states(), prefixes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStateEqual(t *testing.T) {
	base := up(2, "p1", "192.0.2.1/24")
	for name, change := range map[string]func(*State){
		"index":       func(s *State) { s.Index++ },
		"name":        func(s *State) { s.Name = "p2" },
		"present":     func(s *State) { s.Present = false },
		"admin":       func(s *State) { s.AdminUp = false },
		"carrier":     func(s *State) { s.Carrier = CarrierDown },
		"count":       func(s *State) { s.DownCount++ },
		"count known": func(s *State) { s.DownCountKnown = true },
		"oper":        func(s *State) { s.OperState = OperUp },
		"proto down":  func(s *State) { s.ProtoDown = true },
		"mac":         func(s *State) { s.MAC[0]++ },
		"mtu":         func(s *State) { s.MTU++ },
		"addresses":   func(s *State) { s.Addresses = nil },
		"master":      func(s *State) { s.Master++ },
		"loopback":    func(s *State) { s.Loopback = true },
	} {
		changed := base
		change(&changed)
		if changed.Equal(base) || base.Equal(changed) {
			t.Errorf("%s makes no difference", name)
		}
	}
	if same := up(2, "p1", "192.0.2.1/24"); !same.Equal(base) {
		t.Error("a state differs from itself")
	}
}

func TestCarrierString(t *testing.T) {
	for c, want := range map[Carrier]string{CarrierUnknown: "unknown", CarrierDown: "down", CarrierUp: "up", 99: "unknown"} {
		if got := c.String(); got != want {
			t.Errorf("%d: %q, want %q", c, got, want)
		}
	}
}
