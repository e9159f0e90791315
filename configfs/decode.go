package configfs

import (
	"io/fs"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// decoder gives the tree its meaning.
type decoder struct {
	*collector
	fsys     fs.FS
	config   Config
	drafts   []*draft // the instances, parallel to config.Instances once complete has run
	defaults Instance // what global_defs has set so far: an instance starts as a copy, as in keepalived
	version  uint8    // vrrp_version
	tables   map[string]uint32
	mailSeen bool
	fence    word // the argument of storage_fence
}

// keywords is a table of the keywords understood in one kind of block. T is what the block describes.
type keywords[T any] map[string]func(*decoder, *statement, T)

// defaults returns an instance that says nothing, as keepalived completes it.
func defaults() Instance {
	return Instance{
		Preempt:     true,
		DownAdverts: 3,
		Garp:        Garp{Delay: 5 * time.Second, Repeat: 5, RefreshRepeat: 1},
		Fault:       Fault{Rounds: 3},
	}
}

// repeatable lists the understood keywords that may be given more than once in a block; of any other the last counts.
var repeatable = []string{
	"global_defs", "vrrp_instance", "vrrp_sync_group", "virtual_ipaddress", "virtual_ipaddress_excluded",
	"virtual_routes", "track_interface", "group", "fault_witness",
}

// walk decodes the statements of a block.
func walk[T any](d *decoder, p place, body []*statement, table keywords[T], into T) {
	seen := map[string]Position{}
	for _, s := range body {
		w := s.first()
		decode, ok := table[w.text]
		if !ok {
			d.stranger(p, s, slices.Collect(maps.Keys(table)))
			continue
		}
		if before, again := seen[w.text]; again && !slices.Contains(repeatable, w.text) {
			d.hazard(w.pos, "keep one of the two", "%s is given again, after %s: the last one counts", w.text, before.seen(w.pos))
		}
		seen[w.text] = w.pos
		decode(d, s, into)
	}
}

// rootWords are the keywords understood at the top level.
var rootWords = keywords[*decoder]{
	"global_defs":     (*decoder).globals,
	"vrrp_instance":   (*decoder).instance,
	"vrrp_sync_group": (*decoder).group,
}

// arity complains unless s has from least to most arguments and no block.
func (d *decoder) arity(s *statement, least, most int) bool {
	w, n := s.first(), len(s.args())
	switch {
	case s.block:
		d.error(w.pos, "remove the braces, or look for a missing line before them", "%s has no block", w.text)
		return false
	case n < least:
		d.error(w.pos, "", "%s lacks its argument", w.text)
		return false
	case n > most:
		d.error(s.args()[most].pos, "one keyword stands on a line", "%q is too much after %s", s.args()[most].text, w.text)
		return false
	}
	return true
}

// blockOf complains unless s has a block, and n arguments before it.
func (d *decoder) blockOf(s *statement, n int) bool {
	w := s.first()
	switch {
	case len(s.args()) < n:
		d.error(w.pos, "write: "+w.text+" NAME {", "%s lacks a name", w.text)
		return false
	case len(s.args()) > n:
		d.error(s.args()[n].pos, "", "%q is too much before the block of %s", s.args()[n].text, w.text)
		return false
	case !s.block:
		d.error(w.pos, "write: "+describe(s)+" { … }", "%s lacks its block", w.text)
		return false
	}
	return true
}

// list returns the words of a block that lists names, many on a line if need be.
func (d *decoder) list(s *statement) []word {
	var all []word
	for _, line := range s.body {
		if line.block {
			d.error(line.first().pos, "look for a missing }", "a block within %s", s.first().text)
			continue
		}
		all = append(all, line.words...)
	}
	return all
}

// number reads a whole number from least to most.
func (d *decoder) number(w word, least, most int) (int, bool) {
	n, err := strconv.Atoi(w.text)
	if err != nil || n < least || n > most {
		d.error(w.pos, "", "%q is no whole number from %d to %d", w.text, least, most)
		return 0, false
	}
	return n, true
}

// seconds reads a decimal number of seconds from least to most, to the microsecond.
func (d *decoder) seconds(w word, least, most time.Duration) (time.Duration, bool) {
	f, err := strconv.ParseFloat(w.text, 64)
	plain := strings.Trim(w.text, "0123456789.") == "" // not 1e3, 0x1p0 or Inf
	t := time.Duration(math.Round(min(f, 1e9)*1e6)) * time.Microsecond
	if err != nil || !plain || t < least || t > most {
		d.error(w.pos, "", "%q is no number of seconds from %v to %v", w.text, least.Seconds(), most.Seconds())
		return 0, false
	}
	return t, true
}

// port reads an interface name.
func (d *decoder) port(w word) (Port, bool) {
	if w.text == "" || len(w.text) > 15 || strings.ContainsAny(w.text, "/ \t:") || w.text == "." || w.text == ".." {
		d.error(w.pos, "an interface name has 1 to 15 characters, none of them a blank, a slash or a colon",
			"%q is no interface name", w.text)
		return Port{}, false
	}
	return Port{w.text, w.pos}, true
}

// choice reads one of several words.
func (d *decoder) choice(w word, from ...string) (int, bool) {
	i := slices.Index(from, w.text)
	if i < 0 {
		d.error(w.pos, suggest(w.text, slices.Clone(from)), "%q is none of %s", w.text, strings.Join(from, ", "))
	}
	return i, i >= 0
}
