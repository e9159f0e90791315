package port

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// table is the picture of all ports that reports are worked into. It is plain data: the
// same messages always give the same picture.
type table map[int]State

// apply works one message in and notes in c the ports and addresses that left.
func (t table) apply(m message, c *Change) {
	switch m.kind {
	case unix.RTM_NEWLINK:
		if l, ok := decodeLink(m.body); ok {
			l.Addresses = t[l.Index].Addresses
			t[l.Index] = l
		}
	case unix.RTM_DELLINK:
		if l, ok := decodeLink(m.body); ok {
			delete(t, l.Index)
			c.Removed = append(c.Removed, l.Index)
		}
	case unix.RTM_NEWADDR:
		if a, ok := decodeAddress(m.body); ok {
			t.addAddress(a)
		}
	case unix.RTM_DELADDR:
		if a, ok := decodeAddress(m.body); ok {
			t.dropAddress(a, c)
		}
	}
}

// addAddress notes that a port has an address. The report is repeated whenever the
// address is renewed, and when it starts or stops being usable.
func (t table) addAddress(a address) {
	s, ok := t[a.index]
	has := slices.Contains(s.Addresses, a.prefix)
	switch {
	case !ok || has == a.usable:
		return
	case a.usable:
		s.Addresses = append(slices.Clip(s.Addresses), a.prefix)
	default:
		s.Addresses = without(s.Addresses, a.prefix)
	}
	t[a.index] = s
}

// dropAddress notes that a port lost an address. That of an address never usable is no news.
func (t table) dropAddress(a address, c *Change) {
	s := t[a.index]
	if !slices.Contains(s.Addresses, a.prefix) {
		return
	}
	s.Addresses = without(s.Addresses, a.prefix)
	t[a.index] = s
	c.Deleted = append(c.Deleted, AddressGone{Index: a.index, Prefix: a.prefix})
}

// without is a copy: states handed out keep their list.
func without(list []netip.Prefix, gone netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(list), func(p netip.Prefix) bool { return p == gone })
}

// states lists the picture by ascending index.
func (t table) states() []State {
	return slices.SortedFunc(maps.Values(t), func(a, b State) int { return cmp.Compare(a.Index, b.Index) })
}

// news completes c, which has what left since told was handed out, by comparing the
// picture with told, and brings told up to date.
func (t table) news(told table, c *Change) {
	left := c.Removed
	c.Removed = nil
	for index := range told {
		if _, ok := t[index]; !ok || slices.Contains(left, index) {
			c.Removed = append(c.Removed, index)
			delete(told, index)
		}
	}
	slices.Sort(c.Removed)
	for _, s := range t.states() {
		if before, ok := told[s.Index]; c.Resync || !ok || !before.Equal(s) {
			c.States = append(c.States, s)
			told[s.Index] = s
		}
	}
}

// lost lists the addresses that ports in both pictures have in t and no longer in now,
// for the case that nobody saw them go.
func (t table) lost(now table) []AddressGone {
	var gone []AddressGone
	for _, before := range t.states() {
		after, ok := now[before.Index]
		for _, p := range before.Addresses {
			if ok && !slices.Contains(after.Addresses, p) {
				gone = append(gone, AddressGone{Index: before.Index, Prefix: p})
			}
		}
	}
	return gone
}

// keep adds to t what only before has. A list that changed while it was taken may miss
// an entry, and a port must not be called removed for that.
func (t table) keep(before table) {
	for index, old := range before {
		if _, ok := t[index]; !ok {
			t[index] = old
		}
		for _, p := range old.Addresses {
			t.addAddress(address{index: index, prefix: p, usable: true})
		}
	}
}
