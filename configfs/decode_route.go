package configfs

import (
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// routeRefinements are the words of a route line that keepalived knows and standfast does not act on, with the
// number of their arguments. They tune the route, which is installed without them.
var routeRefinements = map[string]int{
	"advmss": 1, "congctl": 1, "cwnd": 1, "fastopen_no_cookie": 1, "features": 1, "hoplimit": 1, "initcwnd": 1,
	"initrwnd": 1, "mtu": 1, "no_track": 0, "onlink": 0, "pref": 1, "proto": 1, "protocol": 1, "quickack": 1,
	"realms": 1, "reordering": 1, "rto_min": 1, "rtt": 1, "rttvar": 1, "ssthresh": 1, "ttl-propagate": 1, "window": 1,
}

// routeChanges are the words that make another route of it. Half of such a route would lead traffic astray, so
// that it is left out.
var routeChanges = []string{
	"add", "anycast", "append", "as", "blackhole", "broadcast", "dsfield", "encap", "expires", "from", "local",
	"multicast", "nat", "nexthop", "or", "prepend", "prohibit", "throw", "tos", "track_group", "unicast",
	"unreachable", "via6", "vrf",
}

// routeDraft is a route as far as it is read.
type routeDraft struct {
	Route
	family  string // inet or inet6, as far as a word has told; empty for a default without addresses
	scoped  bool   // scope is written
	dropped bool   // not to be installed, which has been said
}

func (d *decoder) routes(s *statement, i *draft) {
	if !d.blockOf(s, 0) {
		return
	}
	for _, line := range s.body {
		if !d.entry(line) {
			continue
		}
		if r, ok := d.route(line); ok {
			i.Routes = append(i.Routes, r)
		}
	}
}

// route reads one route line.
func (d *decoder) route(line *statement) (Route, bool) {
	r := &routeDraft{Route: Route{Table: tableMain, Pos: line.first().pos}}
	c := &cursor{decoder: d, rest: line.words}
	for c.next() {
		if !c.routeOption(r) || r.dropped {
			return Route{}, false
		}
	}
	return r.Route, d.settleRoute(r)
}

// routeOption reads one option with its argument; false means that the line makes no sense.
func (c *cursor) routeOption(r *routeDraft) bool {
	if n, known := routeRefinements[c.at.text]; known {
		if len(c.rest) > 0 && c.rest[0].text == "lock" {
			n++
		}
		c.skip(n, "the route is installed without it")
		return true
	}
	if slices.Contains(routeChanges, c.at.text) {
		c.hazard(c.at.pos, "the route is not installed", "%s is known to keepalived, not yet understood by standfast", c.at.text)
		r.dropped = true
		return true
	}
	var read func(word, *routeDraft) bool
	switch c.at.text {
	case "inet", "inet6":
		return c.family(c.at, c.at.text, r)
	case "via", "gw":
		read = c.via
	case "src":
		read = c.preferred
	case "to":
		read = c.destination
	case "dev", "oif":
		read = func(w word, r *routeDraft) (ok bool) { r.Dev, ok = c.port(w); return ok }
	case "metric", "priority", "preference":
		read = c.metric
	case "table":
		read = func(w word, r *routeDraft) (ok bool) { r.Table, ok = c.table(w); return ok }
	case "scope":
		read = func(w word, r *routeDraft) (ok bool) { r.Scope, ok = c.scope(w); r.scoped = true; return ok }
	default:
		return c.destination(c.at, r)
	}
	w, ok := c.value()
	return ok && read(w, r)
}

// routeWords are offered as what was meant.
var routeWords = []string{"via", "gw", "dev", "oif", "src", "metric", "priority", "preference", "table", "scope",
	"default", "to", "onlink", "nexthop", "blackhole", "unreachable", "protocol"}

// destination reads where the route leads; it is the one word without a keyword before it.
func (c *cursor) destination(w word, r *routeDraft) bool {
	if r.Dst.IsValid() {
		c.error(w.pos, suggest(w.text, slices.Clone(routeWords)),
			"unknown word %q in a route that has a destination already; one route stands on a line", w.text)
		return false
	}
	switch w.text {
	case "default", "any", "all":
		r.Dst = netip.PrefixFrom(netip.IPv4Unspecified(), 0) // until another word tells the family
		return true
	}
	if !strings.ContainsAny(w.text, ".:") {
		c.error(w.pos, suggest(w.text, slices.Clone(routeWords)), "unknown word %q in a route", w.text)
		return false
	}
	p, ok := c.prefix(w)
	if !ok {
		return false
	}
	if p != p.Masked() {
		c.hazard(w.pos, "write "+p.Masked().String(), "%v has bits set beyond its mask: the route leads to %v", p, p.Masked())
	}
	r.Dst = p.Masked()
	return c.familyOf(w, p.Addr(), r)
}

func (c *cursor) via(w word, r *routeDraft) bool {
	a, ok := c.host(w)
	r.Via = a
	return ok && c.familyOf(w, a, r)
}

func (c *cursor) preferred(w word, r *routeDraft) bool {
	a, ok := c.host(w)
	r.Src = a
	return ok && c.familyOf(w, a, r)
}

func (c *cursor) metric(w word, r *routeDraft) bool {
	n, err := strconv.ParseUint(w.text, 10, 32)
	if err != nil {
		c.error(w.pos, "", "%q is no whole number from 0 to %d", w.text, uint32(1<<32-1))
	}
	r.Metric = uint32(n)
	return err == nil
}

// familyOf notes the family that an address gives to the route.
func (c *cursor) familyOf(w word, a netip.Addr, r *routeDraft) bool {
	if a.Is4() {
		return c.family(w, "inet", r)
	}
	return c.family(w, "inet6", r)
}

// family notes the family of the route, and complains when it has another already.
func (c *cursor) family(w word, name string, r *routeDraft) bool {
	if r.family != "" && r.family != name {
		c.error(w.pos, "", "%s does not fit the rest of the route: IPv4 and IPv6 cannot be mixed", w.text)
		return false
	}
	r.family = name
	return true
}

// settleRoute fills in what follows from the line as a whole.
func (d *decoder) settleRoute(r *routeDraft) bool {
	switch {
	case !r.Dst.IsValid():
		d.error(r.Pos, "write: DESTINATION via GATEWAY dev INTERFACE", "the route has no destination")
		return false
	case !r.Via.IsValid() && r.Dev.Name == "":
		d.error(r.Pos, "add via GATEWAY or dev INTERFACE", "the route to %v leads nowhere", r.Dst)
		return false
	}
	if r.family == "inet6" && r.Dst.Addr().Is4() { // a default, whose family was not known
		r.Dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	if !r.scoped && !r.Via.IsValid() && r.Dst.Addr().Is4() {
		r.Scope = scopeLink
	}
	return true
}

// tableMain is the number of the routing table "main".
const tableMain = 254

// table reads a routing table, by number or by name.
func (d *decoder) table(w word) (uint32, bool) {
	if n, err := strconv.ParseUint(w.text, 0, 32); err == nil && n > 0 {
		return uint32(n), true
	}
	if d.tables == nil {
		d.tables = tableNames(d.fsys)
	}
	n, ok := d.tables[w.text]
	if !ok {
		names := make([]string, 0, len(d.tables))
		for name := range d.tables {
			names = append(names, name)
		}
		hint := suggest(w.text, names)
		if hint == "" {
			hint = "write its number, or name it in /etc/iproute2/rt_tables"
		}
		d.error(w.pos, hint, "there is no routing table %q", w.text)
	}
	return n, ok
}

// tableNames reads the names of the routing tables. A name given in /etc wins over one in /usr.
func tableNames(fsys fs.FS) map[string]uint32 {
	names := map[string]uint32{"local": 255, "main": tableMain, "default": 253}
	for _, dir := range []string{"etc/iproute2", "usr/share/iproute2"} {
		files := []string{dir + "/rt_tables"}
		more, _ := fs.Glob(fsys, dir+"/rt_tables.d/*.conf") // the pattern is valid
		for _, file := range append(files, more...) {
			content, err := fs.ReadFile(fsys, file)
			if err != nil {
				continue // most hosts have only some of these files; a name that stays unknown is an error where it is used
			}
			addTables(names, string(content))
		}
	}
	return names
}

// addTables adds the lines "NUMBER NAME" of one file.
func addTables(names map[string]uint32, content string) {
	for line := range strings.Lines(content) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, err := strconv.ParseUint(f[0], 0, 32)
		if _, taken := names[f[1]]; err == nil && n > 0 && !taken {
			names[f[1]] = uint32(n)
		}
	}
}
