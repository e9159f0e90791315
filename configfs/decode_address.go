package configfs

import (
	"net/netip"
	"strconv"
	"strings"
)

// The rtnetlink scopes by name.
const (
	scopeGlobal  = 0
	scopeSite    = 200
	scopeLink    = 253
	scopeHost    = 254
	scopeNowhere = 255
)

// addressOptions are the words of an address line that keepalived knows and standfast does not act on, with the
// number of their arguments. The address is held without them.
var addressOptions = map[string]int{
	"peer": 1, "home": 0, "-nodad": 0, "mngtmpaddr": 0, "noprefixroute": 0, "autojoin": 0, "no_track": 0,
	"preferred_lft": 1, "use_vmac": 0, "track_group": 1,
}

// cursor walks along the words of a line.
type cursor struct {
	*decoder
	at   word   // the option being read
	rest []word // what follows it
}

// next moves to the next option, false at the end of the line.
func (c *cursor) next() bool {
	if len(c.rest) == 0 {
		return false
	}
	c.at, c.rest = c.rest[0], c.rest[1:]
	return true
}

// value takes the argument of the current option.
func (c *cursor) value() (word, bool) {
	if len(c.rest) == 0 {
		c.error(c.at.pos, "", "%s lacks its argument", c.at.text)
		return word{}, false
	}
	w := c.rest[0]
	c.rest = c.rest[1:]
	return w, true
}

// skip takes n arguments of an option that is known but not understood.
func (c *cursor) skip(n int, without string) {
	c.hazard(c.at.pos, without, "%s is known to keepalived, not yet understood by standfast", c.at.text)
	c.rest = c.rest[min(n, len(c.rest)):]
}

func (d *decoder) advertised(s *statement, i *draft) {
	i.Addresses = append(i.Addresses, d.addresses(s)...)
	i.vacant = i.vacant || s.block && len(s.body) == 0
}
func (d *decoder) excluded(s *statement, i *draft) {
	i.Excluded = append(i.Excluded, d.addresses(s)...)
}

// addresses reads a block of address lines.
func (d *decoder) addresses(s *statement) []Address {
	if !d.blockOf(s, 0) {
		return nil
	}
	var all []Address
	for _, line := range s.body {
		if !d.entry(line) {
			continue
		}
		if a, ok := d.address(line); ok {
			all = append(all, a)
		}
	}
	return all
}

// address reads one address line. Dev stays empty when none is written.
func (d *decoder) address(line *statement) (Address, bool) {
	first := line.first()
	prefix, ok := d.prefix(first)
	if !ok {
		return Address{}, false
	}
	if _, ok := d.host(word{prefix.Addr().String(), first.pos}); !ok {
		return Address{}, false
	}
	a := Address{Prefix: prefix, Pos: first.pos}
	c := &cursor{decoder: d, rest: line.args()}
	for c.next() {
		if !c.addressOption(&a) {
			return Address{}, false
		}
	}
	return a, true
}

// addressOption reads one option with its argument; false means that the line makes no sense.
func (c *cursor) addressOption(a *Address) bool {
	if n, known := addressOptions[c.at.text]; known {
		c.skip(n, "the address is held without it")
		return true
	}
	var read func(word, *Address) bool
	switch c.at.text {
	case "brd", "broadcast":
		read = c.broadcast
	case "dev":
		read = func(w word, a *Address) (ok bool) { a.Dev, ok = c.port(w); return ok }
	case "scope":
		read = func(w word, a *Address) (ok bool) { a.Scope, ok = c.scope(w); return ok }
	case "label":
		read = c.label
	default:
		c.error(c.at.pos, suggest(c.at.text, []string{"brd", "broadcast", "dev", "scope", "label", "peer", "no_track"}),
			"unknown word %q after the address %v; one address stands on a line", c.at.text, a.Prefix)
		return false
	}
	w, ok := c.value()
	return ok && read(w, a)
}

func (c *cursor) broadcast(w word, a *Address) bool {
	if !a.Prefix.Addr().Is4() {
		c.error(w.pos, "remove it", "an IPv6 address has no broadcast address")
		return false
	}
	switch w.text {
	case "+":
		a.Broadcast = lastOf(a.Prefix)
		return true
	case "-":
		a.Broadcast = a.Prefix.Masked().Addr()
		return true
	}
	b, err := netip.ParseAddr(w.text)
	if err != nil || !b.Is4() {
		c.error(w.pos, "write an IPv4 address, + or -", "%q is no broadcast address", w.text)
		return false
	}
	a.Broadcast = b
	return true
}

// lastOf returns the last address of an IPv4 prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(b)
}

func (c *cursor) label(w word, a *Address) bool {
	switch {
	case !a.Prefix.Addr().Is4():
		c.error(w.pos, "remove it", "an IPv6 address has no label")
		return false
	case w.text == "" || len(w.text) > 15:
		c.error(w.pos, "the kernel keeps 15 characters", "the label %q is empty or too long", w.text)
		return false
	}
	a.Label = w.text
	return true
}

// scope reads the scope of an address or a route.
func (d *decoder) scope(w word) (uint8, bool) {
	switch w.text {
	case "global", "universe":
		return scopeGlobal, true
	case "site":
		return scopeSite, true
	case "link":
		return scopeLink, true
	case "host":
		return scopeHost, true
	case "nowhere":
		return scopeNowhere, true
	}
	n, err := strconv.ParseUint(w.text, 10, 8)
	if err != nil {
		d.error(w.pos, "write global, site, link, host or a number up to 255", "%q is no scope", w.text)
	}
	return uint8(n), err == nil
}

// prefix reads an address with or without its mask.
func (d *decoder) prefix(w word) (netip.Prefix, bool) {
	address, mask, masked := strings.Cut(w.text, "/")
	a, err := netip.ParseAddr(address)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		d.error(w.pos, addressHint(address), "%q is no IP address", w.text)
		return netip.Prefix{}, false
	}
	bits := a.BitLen()
	if masked {
		n, err := strconv.ParseUint(mask, 10, 8)
		if err != nil || int(n) > bits {
			d.error(w.pos, "write the length of the mask, such as /24", "%q is no mask length from 0 to %d", mask, bits)
			return netip.Prefix{}, false
		}
		bits = int(n)
	}
	return netip.PrefixFrom(a, bits), true
}
