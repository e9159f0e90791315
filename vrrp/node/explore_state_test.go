package node

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"standfast/vrrp"
)

// What the exploration needs of a state: a copy that shares nothing that changes, and a fingerprint by which it is known again. Both walk
// over every field there is, unexported ones too, so that a new field of a Node is part of its state from the first day.

// snapshot copies what a pointer leads to. Values of the types in unchanging are shared.
type snapshot struct {
	copies map[unsafe.Pointer]unsafe.Pointer
}

// clone returns a copy of everything that v leads to.
func clone[T any](v *T) *T {
	s := snapshot{copies: map[unsafe.Pointer]unsafe.Pointer{}}
	t := reflect.TypeFor[*T]()
	var dst *T
	copierOf(t)(&s, unsafe.Pointer(&dst), unsafe.Pointer(&v))
	return dst
}

// copier copies one value of a type from src to dst.
type copier func(s *snapshot, dst, src unsafe.Pointer)

// copiers and hashers are made once for each type.
var (
	copiers = map[reflect.Type]copier{}
	hashers = map[reflect.Type]hasher{}
)

// unchanging are types whose values are replaced and never written to.
func unchanging(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[netip.Addr](), reflect.TypeFor[netip.Prefix](), reflect.TypeFor[Config](), reflect.TypeFor[Instance](),
		reflect.TypeFor[Group](), reflect.TypeFor[vrrp.Params](), reflect.TypeFor[PortState]():
		return true
	}
	return t.Kind() == reflect.Interface || t.Kind() == reflect.Func // events and actions are values
}

// plain says that a value of the type leads nowhere.
func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return unchanging(t)
	case reflect.Array:
		return unchanging(t) || plain(t.Elem())
	case reflect.Struct:
		for k := range t.NumField() {
			if !unchanging(t) && !plain(t.Field(k).Type) {
				return false
			}
		}
	}
	return true
}

func copierOf(t reflect.Type) copier {
	if c, ok := copiers[t]; ok {
		return c
	}
	copiers[t] = func(s *snapshot, dst, src unsafe.Pointer) { copiers[t](s, dst, src) } // for types that lead to themselves
	c := makeCopier(t)
	copiers[t] = c
	return c
}

func makeCopier(t reflect.Type) copier {
	move := func(dst, src unsafe.Pointer) { reflect.NewAt(t, dst).Elem().Set(reflect.NewAt(t, src).Elem()) }
	if plain(t) {
		return func(_ *snapshot, dst, src unsafe.Pointer) { move(dst, src) }
	}
	switch t.Kind() {
	case reflect.Pointer:
		to := copierOf(t.Elem())
		return func(s *snapshot, dst, src unsafe.Pointer) {
			from := *(*unsafe.Pointer)(src)
			if from == nil {
				return
			}
			copied, ok := s.copies[from]
			if !ok {
				copied = reflect.New(t.Elem()).UnsafePointer()
				s.copies[from] = copied
				to(s, copied, from)
			}
			*(*unsafe.Pointer)(dst) = copied
		}
	case reflect.Slice:
		to, size := copierOf(t.Elem()), t.Elem().Size()
		return func(s *snapshot, dst, src unsafe.Pointer) {
			from := reflect.NewAt(t, src).Elem()
			if from.IsNil() {
				return
			}
			n := from.Len()
			list := reflect.MakeSlice(t, n, n)
			reflect.NewAt(t, dst).Elem().Set(list)
			if plain(t.Elem()) {
				reflect.Copy(list, from)
				return
			}
			for k := range n {
				to(s, unsafe.Add(list.UnsafePointer(), uintptr(k)*size), unsafe.Add(from.UnsafePointer(), uintptr(k)*size))
			}
		}
	case reflect.Map:
		to := copierOf(t.Elem())
		return func(s *snapshot, dst, src unsafe.Pointer) {
			from := reflect.NewAt(t, src).Elem()
			if from.IsNil() {
				return
			}
			m := reflect.MakeMapWithSize(t, from.Len())
			for each := from.MapRange(); each.Next(); {
				v, old := reflect.New(t.Elem()), reflect.New(t.Elem())
				old.Elem().Set(each.Value())
				to(s, v.UnsafePointer(), old.UnsafePointer())
				m.SetMapIndex(each.Key(), v.Elem())
			}
			reflect.NewAt(t, dst).Elem().Set(m)
		}
	case reflect.Array:
		to, size := copierOf(t.Elem()), t.Elem().Size()
		return func(s *snapshot, dst, src unsafe.Pointer) {
			for k := range t.Len() {
				to(s, unsafe.Add(dst, uintptr(k)*size), unsafe.Add(src, uintptr(k)*size))
			}
		}
	case reflect.Struct:
		return structCopier(t, move)
	}
	panic("explore: no copy of a " + t.String())
}

// structCopier moves all of it at once, and then copies the fields that lead elsewhere.
func structCopier(t reflect.Type, move func(dst, src unsafe.Pointer)) copier {
	type field struct {
		at   uintptr
		copy copier
	}
	var fields []field
	for k := range t.NumField() {
		if f := t.Field(k); !plain(f.Type) {
			fields = append(fields, field{f.Offset, copierOf(f.Type)})
		}
	}
	return func(s *snapshot, dst, src unsafe.Pointer) {
		move(dst, src)
		for _, f := range fields {
			f.copy(s, unsafe.Add(dst, f.at), unsafe.Add(src, f.at))
		}
	}
}

// print is a fingerprint in the making. Every moment goes in as its distance from now.
type print struct {
	sum    uint64
	now    vrrp.Instant
	coarse bool
	seen   map[unsafe.Pointer]uint64 // pointers are numbered as they are met
}

// fingerprint returns the same number for two states that differ in nothing but the moment at which they are, the addresses of
// their variables, and what forgotten names. Moments are compared to a grain. The coarse one looks at nothing that repeats within
// seconds, as questions of the calibration do, whose rhythms never meet again in the same manner.
func fingerprint(w *arena, coarse bool) uint64 {
	p := print{sum: 14695981039346656037, now: w.now, coarse: coarse, seen: map[unsafe.Pointer]uint64{}}
	hasherOf(reflect.TypeFor[arena]())(&p, unsafe.Pointer(w))
	return p.sum
}

func (p *print) add(v uint64) {
	p.sum = (p.sum ^ v) * 0x9E3779B97F4A7C15
	p.sum ^= p.sum >> 29
}

// bytes is for what is no number.
func (p *print) bytes(b []byte) {
	p.add(uint64(len(b)))
	for _, x := range b {
		p.sum = (p.sum ^ uint64(x)) * 1099511628211
	}
}

const (
	// horizon is further away than anything that a Node remembers.
	horizon = 62 * time.Second
	// rhythm is the longest period in which a Node repeats itself in peace.
	rhythm = 12 * time.Second
)

// moment goes in relative to now, in grains that grow with the distance: what happens next is told apart to milliseconds, what was
// long ago to half a second.
func (p *print) moment(at vrrp.Instant) {
	d := at.Sub(p.now)
	away := max(d, -d)
	if p.coarse {
		p.add(bit(away > rhythm) + bit(away > horizon) + 3*bit(d > rhythm))
		return
	}
	grain := 500 * time.Millisecond
	switch {
	case away < 50*time.Millisecond:
		grain = 2 * time.Millisecond
	case away < time.Second:
		grain = 20 * time.Millisecond
	case away < 5*time.Second:
		grain = 100 * time.Millisecond
	}
	d = min(max(d, -horizon), horizon)
	p.add(uint64(d / grain))
}

type hasher func(p *print, v unsafe.Pointer)

// forgotten are the fields that are no part of a state, with the reason.
func forgotten() map[string]string {
	return map[string]string{
		"node.Node.out":            "what the last step wanted has been done",
		"node.Node.byKey":          "the instances are a list as well",
		"node.Node.byName":         "the ports are a list as well",
		"node.Node.unclaimed":      "a counter for people",
		"node.instance.cfg":        "the configuration does not change here",
		"node.instance.counters":   "a counter for people",
		"node.instance.dropped":    "only says when something was last said",
		"node.instance.sent":       "a counter for people",
		"node.instance.reason":     "words",
		"node.instance.waits":      "words",
		"node.instance.shown":      "words",
		"node.group.cfg":           "the configuration does not change here",
		"node.port.draws":          "two states that differ in the next throw of the dice alone are one",
		"node.inquiry.turn":        "there is one address on a port",
		"vrrp.Machine.params":      "the configuration does not change here",
		"vrrp.Machine.since":       "for people",
		"vrrp.leader.heard":        "for people",
		"verdict.Verdict.Evidence": "the rule says enough",
		"verdict.Verdict.Rivalry":  "the rule says enough",
		"node.arena.now":           "every moment is taken relative to it",
		"node.arena.say":           "words",
		"node.arena.bug":           "it does not change",
		"node.arena.worst":         "a measure of the whole exploration",
		"node.seat.cfg":            "the configuration does not change here",
		"node.seat.woken":          "a measure",
		"node.seat.second":         "a measure",
	}
}

func hasherOf(t reflect.Type) hasher {
	if h, ok := hashers[t]; ok {
		return h
	}
	hashers[t] = func(p *print, v unsafe.Pointer) { hashers[t](p, v) }
	h := makeHasher(t)
	hashers[t] = h
	return h
}

func makeHasher(t reflect.Type) hasher {
	switch t {
	case reflect.TypeFor[vrrp.Instant]():
		return func(p *print, v unsafe.Pointer) { p.moment(*(*vrrp.Instant)(v)) }
	case reflect.TypeFor[stamp]():
		return func(p *print, v unsafe.Pointer) {
			s := (*stamp)(v)
			if !s.ok {
				p.add(1)
				return
			}
			p.moment(s.at)
		}
	case reflect.TypeFor[netip.Addr]():
		return func(p *print, v unsafe.Pointer) {
			b := (*netip.Addr)(v).As16()
			p.bytes(b[:])
		}
	case reflect.TypeFor[PortState](): // what else it says does not change
		return func(p *print, v unsafe.Pointer) {
			s := (*PortState)(v)
			p.add(uint64(s.Carrier)<<2 | bit(s.Present)<<1 | bit(s.AdminUp))
		}
	}
	switch t.Kind() {
	case reflect.Bool, reflect.Int8, reflect.Uint8:
		return func(p *print, v unsafe.Pointer) { p.add(uint64(*(*uint8)(v))) }
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return func(p *print, v unsafe.Pointer) { p.add(*(*uint64)(v)) }
	case reflect.String:
		return func(p *print, v unsafe.Pointer) { p.bytes([]byte(*(*string)(v))) }
	case reflect.Pointer:
		to := hasherOf(t.Elem())
		return func(p *print, v unsafe.Pointer) { p.follow(*(*unsafe.Pointer)(v), to) }
	case reflect.Interface:
		return func(p *print, v unsafe.Pointer) { p.value(reflect.NewAt(t, v).Elem().Elem()) }
	case reflect.Slice:
		to, size := hasherOf(t.Elem()), t.Elem().Size()
		return func(p *print, v unsafe.Pointer) {
			list := reflect.NewAt(t, v).Elem()
			p.add(uint64(list.Len()))
			for k := range list.Len() {
				to(p, unsafe.Add(list.UnsafePointer(), uintptr(k)*size))
			}
		}
	case reflect.Array:
		to, size := hasherOf(t.Elem()), t.Elem().Size()
		return func(p *print, v unsafe.Pointer) {
			for k := range t.Len() {
				to(p, unsafe.Add(v, uintptr(k)*size))
			}
		}
	case reflect.Map:
		return mapHasher(t)
	case reflect.Struct:
		return structHasher(t)
	}
	panic("explore: no fingerprint of a " + t.String())
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// follow goes where a pointer leads, once.
func (p *print) follow(to unsafe.Pointer, h hasher) {
	if to == nil {
		p.add(2)
		return
	}
	if number, ok := p.seen[to]; ok {
		p.add(number)
		return
	}
	p.seen[to] = uint64(len(p.seen)) + 1000
	h(p, to)
}

// value is what an interface holds.
func (p *print) value(v reflect.Value) {
	if !v.IsValid() {
		p.add(3)
		return
	}
	p.bytes([]byte(v.Type().Name()))
	addressable := reflect.New(v.Type())
	addressable.Elem().Set(v)
	hasherOf(v.Type())(p, addressable.UnsafePointer())
}

// mapHasher takes the keys in order.
func mapHasher(t reflect.Type) hasher {
	key, to := hasherOf(t.Key()), hasherOf(t.Elem())
	return func(p *print, v unsafe.Pointer) {
		m := reflect.NewAt(t, v).Elem()
		p.add(uint64(m.Len()))
		for _, k := range ordered(m) {
			addressable, value := reflect.New(t.Key()), reflect.New(t.Elem())
			addressable.Elem().Set(k)
			value.Elem().Set(m.MapIndex(k))
			key(p, addressable.UnsafePointer())
			to(p, value.UnsafePointer())
		}
	}
}

func ordered(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		if x, is := a.Interface().(netip.Addr); is {
			return x.Compare(b.Interface().(netip.Addr))
		}
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	})
	return keys
}

// structHasher takes the fields that are part of the state.
func structHasher(t reflect.Type) hasher {
	type field struct {
		at   uintptr
		hash hasher
	}
	var fields []field
	for k := range t.NumField() {
		f := t.Field(k)
		name := fmt.Sprintf("%v.%s", t, f.Name)
		if _, skip := forgotten()[name]; skip {
			continue
		}
		h := special(name)
		if h == nil {
			h = hasherOf(f.Type)
		}
		fields = append(fields, field{f.Offset, h})
	}
	if t == reflect.TypeFor[port]() {
		fields = append(fields, field{0, tokens})
	}
	return func(p *print, v unsafe.Pointer) {
		for _, f := range fields {
			f.hash(p, unsafe.Add(v, f.at))
		}
	}
}

// special are fields that count in a manner of their own.
func special(name string) hasher {
	switch name {
	case "node.port.tokens", "node.port.filled":
		return func(*print, unsafe.Pointer) {} // together, in tokens
	case "node.port.misses": // after so many the port is blind, and more say no more
		return func(p *print, v unsafe.Pointer) { p.add(uint64(min(*(*int)(v), blindMisses))) }
	case "node.answer.seen": // one confirms, or two
		return func(p *print, v unsafe.Pointer) {
			for _, seen := range *(*[forms]int)(v) {
				p.add(uint64(min(seen, 2)))
			}
		}
	case "node.port.turn":
		return func(p *print, v unsafe.Pointer) {
			if !p.coarse {
				p.add(uint64(*(*int)(v) % turns))
			}
		}
	case "node.port.rtt", "node.doubt.late":
		return func(p *print, v unsafe.Pointer) { p.add(uint64(*(*time.Duration)(v) / time.Millisecond)) }
	case "node.arena.due", "node.inquiry.burst", "node.target.pending", "node.doubt.step", "node.target.lastAsk":
		h := hasherOf(map[string]reflect.Type{
			"node.arena.due": reflect.TypeFor[[]chore](), "node.inquiry.burst": reflect.TypeFor[*burst](),
			"node.target.pending": reflect.TypeFor[[]pending](), "node.doubt.step": reflect.TypeFor[int](),
			"node.target.lastAsk": reflect.TypeFor[stamp](),
		}[name])
		return func(p *print, v unsafe.Pointer) {
			if !p.coarse {
				h(p, v)
			}
		}
	case "node.target.answered": // in the long run it counts whether a silence would count
		return func(p *print, v unsafe.Pointer) {
			for _, s := range *(*[forms]stamp)(v) {
				if p.coarse {
					p.add(bit(s.within(p.now, calibrationAge)))
				} else {
					hasherOf(reflect.TypeFor[stamp]())(p, unsafe.Pointer(&s))
				}
			}
		}
	case "node.instance.lived": // the calibration of the other, overheard
		return func(p *print, v unsafe.Pointer) {
			if s := *(*stamp)(v); p.coarse {
				p.add(bit(s.within(p.now, horizon)))
			} else {
				hasherOf(reflect.TypeFor[stamp]())(p, unsafe.Pointer(&s))
			}
		}
	case "node.monitor.disturbed": // counts where something is measured from it
		return func(p *print, v unsafe.Pointer) {
			m := (*monitor)(unsafe.Add(v, -int(unsafe.Offsetof(monitor{}.disturbed))))
			for k := range m.both {
				if m.both[k].ok || m.nobody[k].ok {
					p.moment(m.disturbed)
				}
			}
		}
	}
	return nil
}

// tokens are the questions that a port may ask now.
func tokens(p *print, v unsafe.Pointer) {
	x := (*port)(v)
	if p.coarse {
		return
	}
	p.add(uint64(int64(math.Floor(min(budgetPerSecond, x.tokens+p.now.Sub(x.filled).Seconds()*budgetPerSecond)))))
}

// TestExploreForgetsOnlyWhatThereIs says that every field that is no part of the state exists.
func TestExploreForgetsOnlyWhatThereIs(t *testing.T) {
	known := map[string]bool{}
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			walk(t.Elem())
		case reflect.Struct:
			for k := range t.NumField() {
				name := fmt.Sprintf("%v.%s", t, t.Field(k).Name)
				if !known[name] {
					known[name] = true
					walk(t.Field(k).Type)
				}
			}
		}
	}
	walk(reflect.TypeFor[arena]())
	for name := range forgotten() {
		if !known[name] {
			t.Errorf("%s is forgotten, but there is no such field", name)
		}
	}
}
