package vrrp

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// The grid: every event in every situation, with everything that follows written down.

// gridSource is our own address, between the senders .50 and .200 of the grid.
var gridSource = addr("192.0.2.100")

func gridParams() Params {
	p := router3()
	p.Patience = 100 * time.Millisecond
	return p
}

// situation is a state, or a part of one that answers events differently.
type situation struct {
	name string
	// arrive makes a machine that is in it at the moment 0, or a little later.
	arrive func() (*Machine, Instant)
}

// situations are the rows: every situation that TestGridKnowsEverySituation can find, and further down those in which the
// settings make the difference.
func situations() []situation {
	list := []situation{
		{"INIT", func() (*Machine, Instant) { return New(gridParams()), 0 }},
		{"INIT, owner consulting", func() (*Machine, Instant) { return after(gridOwner(), 0, Start{Source: gridSource}) }},
		{"MASTER", func() (*Machine, Instant) {
			return after(gridParams(), 0, Start{Source: gridSource}, Ruled{Ruling: TakeOver})
		}},
		{"FAULT", func() (*Machine, Instant) { return after(gridParams(), 0, Start{Source: gridSource}, Failed{}) }},
	}
	for w := range numWaits {
		for d := range numDelays {
			list = append(list, situation{backupName(w, d, false), func() (*Machine, Instant) { return backupIn(w, d, false) }})
			if d != delayRuns && w != asksPreempt { // a lower advert is obeyed, or was heard anyway
				list = append(list, situation{backupName(w, d, true), func() (*Machine, Instant) { return backupIn(w, d, true) }})
			}
		}
	}
	list = slices.DeleteFunc(list, func(s situation) bool { return s.name == backupName(asksPreempt, delayRuns, false) })
	return append(list, settings()...)
}

// settings are the situations in which not what happened makes the difference but how the router is configured.
func settings() []situation {
	with := func(change func(*Params), events ...Event) func() (*Machine, Instant) {
		p := gridParams()
		change(&p)
		return func() (*Machine, Instant) { return after(p, 0, events...) }
	}
	start := Start{Source: gridSource}
	return []situation{
		{"INIT, owner", with(func(p *Params) { p.Priority = 255 })},
		{"INIT, owner without a judge", with(func(p *Params) { p.Priority, p.Patience = 255, 0 })},
		{"BACKUP, nopreempt", with(func(p *Params) { p.Preempt = false }, start)},
		{"BACKUP, without a judge", with(func(p *Params) { p.Patience = 0 }, start)},
		{"BACKUP, without a judge, lower heard", with(func(p *Params) { p.Patience = 0 }, start, heard(50, "192.0.2.200"))},
		{"BACKUP, without a judge, goodbye heard", with(func(p *Params) { p.Patience = 0 }, start, heard(0, "192.0.2.200"))},
		{"BACKUP, version 2", with(func(p *Params) { p.Version = V2 }, start)},
		{"BACKUP, obeys one that adverts every 2s", with(func(*Params) {}, start, heardEvery(2*time.Second, 200, "192.0.2.200"))},
		{"BACKUP, owner that was held, nopreempt", with(func(p *Params) { p.Priority, p.Preempt = 255, false }, start, Ruled{Ruling: Hold})},
		{"BACKUP, reprioritized to 50", with(func(*Params) {}, start, Reprioritized{Priority: 50})},
		{"MASTER, owner", with(func(p *Params) { p.Priority = 255 }, start, Ruled{Ruling: TakeOver})},
		{"MASTER, version 2", with(func(p *Params) { p.Version = V2 }, start, Ruled{Ruling: TakeOver})},
		{"MASTER, without an address", with(func(*Params) {}, Start{}, Ruled{Ruling: TakeOver})},
		{"FAULT, owner", with(func(p *Params) { p.Priority = 255 }, Failed{}, start)},
		{"FAULT, never started", with(func(*Params) {}, Failed{})},
	}
}

func gridOwner() Params {
	p := gridParams()
	p.Priority = 255
	return p
}

// waiting is what a BACKUP waits for.
type waiting uint8

const (
	listens      waiting = iota // the master-down interval
	bidsFarewell                // the skew after a goodbye
	isHeld                      // a hold of 3 s
	asksSilence                 // a ruling on a silence
	asksGoodbye                 // a ruling after a goodbye
	asksPreempt                 // a ruling on a preemption
	numWaits
)

// delaying is where the preemption delay stands.
type delaying uint8

const (
	noDelay delaying = iota
	delayRuns
	delayOver
	numDelays
)

func backupName(w waiting, d delaying, lower bool) string {
	words := []string{"BACKUP"}
	add := func(yes bool, word string) {
		if yes {
			words = append(words, word)
		}
	}
	add(w == bidsFarewell, "goodbye heard")
	add(w == isHeld, "held")
	add(w == asksSilence, "consulting")
	add(w == asksGoodbye, "consulting after a goodbye")
	add(w == asksPreempt, "consulting to preempt")
	add(lower, "lower heard")
	add(d == delayRuns, "preemption delayed")
	add(d == delayOver, "preemption delay over")
	return strings.Join(words, ", ")
}

// backupIn makes a BACKUP that waits for something, and that may have heard a lower advert since.
func backupIn(w waiting, d delaying, lower bool) (*Machine, Instant) {
	p, now := gridParams(), Instant(0)
	if d != noDelay {
		p.PreemptDelay = 10 * time.Second
	}
	m, _ := after(p, now, Start{Source: gridSource})
	tell := func(e Event) { m.Step(now, e) }
	expire := func() {
		now, _ = m.Deadline()
		tell(Expired{})
	}
	if d != noDelay {
		tell(heard(50, "192.0.2.50")) // and obeyed
	}
	if d == delayOver {
		now = now.Add(p.PreemptDelay)
		tell(Ruled{Ruling: Hold})
	}
	switch w {
	case bidsFarewell:
		tell(heard(0, "192.0.2.200"))
	case isHeld:
		tell(Ruled{Ruling: Hold, For: 3 * time.Second})
	case asksSilence:
		expire()
	case asksGoodbye:
		tell(heard(0, "192.0.2.200"))
		expire()
	case asksPreempt:
		tell(heard(50, "192.0.2.50"))
		expire()
	case listens:
	}
	if lower {
		tell(heard(50, "192.0.2.50"))
	}
	return m, now
}

// after returns a machine that has lived through the events, all at one moment.
func after(p Params, now Instant, events ...Event) (*Machine, Instant) {
	m := New(p)
	for _, e := range events {
		m.Step(now, e)
	}
	return m, now
}

// heard is an advert of version 3 every second.
func heard(priority uint8, from string) Heard {
	a := router3().Advert(priority)
	return Heard{Advert: a, From: addr(from)}
}

// heardEvery is an advert of a MASTER with another interval.
func heardEvery(interval time.Duration, priority uint8, from string) Heard {
	e := heard(priority, from)
	e.Advert.Interval = interval
	return e
}

// gridEvent is a column of the grid.
type gridEvent struct {
	name string
	// wait is how long after the situation arose it happens; onTime counts from the
	// deadline, if there is one.
	wait   time.Duration
	onTime bool
	event  Event
	// reload makes the event from the machine's own settings instead.
	reload func(*Params)
}

// to is the event as it happens to that machine.
func (e gridEvent) to(m *Machine) Event {
	if e.reload == nil {
		return e.event
	}
	p := m.params
	e.reload(&p)
	return Reconfigured{Params: p}
}

// moment is when it happens to a machine that came into its situation at now.
func (e gridEvent) moment(m *Machine, now Instant) Instant {
	if deadline, ok := m.Deadline(); ok && e.onTime {
		now = deadline
	}
	return now.Add(e.wait)
}

const soon = 50 * time.Millisecond

func gridEvents() []gridEvent {
	return []gridEvent{
		{"start", soon, false, Start{Source: gridSource}, nil},
		{"stop", soon, false, Stop{}, nil},
		{"heard goodbye", soon, false, heard(0, "192.0.2.200"), nil},
		{"heard lower", soon, false, heard(50, "192.0.2.200"), nil},
		{"heard equal, lower address", soon, false, heard(100, "192.0.2.50"), nil},
		{"heard equal, own address", soon, false, heard(100, "192.0.2.100"), nil},
		{"heard equal, higher address", soon, false, heard(100, "192.0.2.200"), nil},
		{"heard higher", soon, false, heard(200, "192.0.2.50"), nil},
		{"heard higher, every 2s", soon, false, heardEvery(2*time.Second, 200, "192.0.2.50"), nil},
		{"expired early", soon, false, Expired{}, nil},
		{"expired", 0, true, Expired{}, nil},
		{"expired 5s late", 5 * time.Second, true, Expired{}, nil},
		{"ruled nothing", soon, false, Ruled{}, nil},
		{"ruled take-over", soon, false, Ruled{Ruling: TakeOver}, nil},
		{"ruled hold", soon, false, Ruled{Ruling: Hold}, nil},
		{"ruled hold for 2s", soon, false, Ruled{Ruling: Hold, For: 2 * time.Second}, nil},
		{"ruled step-down", soon, false, Ruled{Ruling: StepDown}, nil},
		{"ruled step-down for 2s", soon, false, Ruled{Ruling: StepDown, For: 2 * time.Second}, nil},
		{"failed", soon, false, Failed{}, nil},
		{"repaired", soon, false, Repaired{}, nil},
		{"reprioritized to 150", soon, false, Reprioritized{Priority: 150}, nil},
		{"reprioritized to 50", soon, false, Reprioritized{Priority: 50}, nil},
		{"reprioritized to 0", soon, false, Reprioritized{Priority: 0}, nil},
		{"reprioritized to 255", soon, false, Reprioritized{Priority: 255}, nil},
		{"reconfigured, the same", soon, false, nil, func(*Params) {}},
		{"reconfigured, the other preempt", soon, false, nil, func(p *Params) { p.Preempt = !p.Preempt }},
		{"reconfigured, interval 500ms", soon, false, nil, func(p *Params) { p.Interval = 500 * time.Millisecond }},
		{"reconfigured, interval 2s", soon, false, nil, func(p *Params) { p.Interval = 2 * time.Second }},
		{"reconfigured, priority 150", soon, false, nil, func(p *Params) { p.Priority = 150 }},
		{"addressed", soon, false, Addressed{Source: addr("192.0.2.7")}, nil},
		{"addressed to none", soon, false, Addressed{}, nil},
	}
}

// cell runs one event in one situation and writes down what follows: the actions, the
// state, how far away the deadline is, and what differs from the usual. "nothing" means
// that not a bit of the machine has changed.
func cell(s situation, e gridEvent) string {
	m, now := s.arrive()
	before, source := *m, m.source
	now = e.moment(m, now)
	actions := m.Step(now, e.to(m))
	if len(actions) == 0 && reflect.DeepEqual(before, *m) {
		return "nothing"
	}
	var words []string
	for _, a := range actions {
		words = append(words, describe(a, now))
	}
	words = append(words, strings.TrimSpace(m.state.String()+" "+remaining(m, now)))
	if m.priority != 100 {
		words = append(words, fmt.Sprintf("priority %d", m.priority))
	}
	if m.leader != before.leader {
		words = append(words, fmt.Sprintf("obeys %v/%d", m.leader.addr, m.leader.priority))
	}
	if m.source != source {
		words = append(words, fmt.Sprintf("source %v", m.source))
	}
	return strings.Join(words, "; ")
}

func remaining(m *Machine, now Instant) string {
	deadline, ok := m.Deadline()
	if !ok {
		return ""
	}
	return "+" + deadline.Sub(now).String()
}

// describe renders an action, its moments as distances from now.
func describe(a Action, now Instant) string {
	switch a := a.(type) {
	case Send:
		return fmt.Sprintf("send %d", a.Priority)
	case Enter:
		return fmt.Sprintf("%v > %v (%v)", a.From, a.To, a.Cause)
	case Consult:
		return fmt.Sprintf("consult %v +%v", a.Why, a.Until.Sub(now))
	case Reannounce:
		return "reannounce"
	}
	return fmt.Sprintf("unknown action %T", a)
}

// row is a row of the grid: every cell, or the cells in which it differs from another row.
type row struct {
	like  string
	cells map[string]string
}

// cells returns the whole row, and complains of one that says what its pattern says.
func (r row) whole(t *testing.T, name string) map[string]string {
	t.Helper()
	if r.like == "" {
		return r.cells
	}
	pattern, ok := grid[r.like]
	if !ok || pattern.like != "" {
		t.Fatalf("%q is like %q, which is no whole row", name, r.like)
	}
	cells := maps.Clone(pattern.cells)
	for event, does := range r.cells {
		if cells[event] == does {
			t.Errorf("%q repeats what %q says for %q", name, r.like, event)
		}
		cells[event] = does
	}
	return cells
}

func TestGrid(t *testing.T) {
	total := 0
	names := map[string]bool{}
	for _, s := range situations() {
		if names[s.name] {
			t.Errorf("two situations are called %q", s.name)
		}
		names[s.name] = true
		r, ok := grid[s.name]
		if !ok {
			t.Errorf("the situation %q has no row", s.name)
		}
		cells := r.whole(t, s.name)
		known := map[string]bool{}
		for _, e := range gridEvents() {
			total++
			known[e.name] = true
			want, ok := cells[e.name]
			if got := cell(s, e); !ok {
				t.Errorf("%q has no cell for %q, which does:\n\t%s", s.name, e.name, got)
			} else if got != want {
				t.Errorf("%s, %s:\n\t got %s\n\twant %s", s.name, e.name, got, want)
			}
		}
		for name := range cells {
			if !known[name] {
				t.Errorf("%q has a cell for %q, which is no event", s.name, name)
			}
		}
	}
	for name := range grid {
		if !names[name] {
			t.Errorf("the grid has a row %q, which is no situation", name)
		}
	}
	t.Logf("%d situations, %d cells", len(names), total)
}

// shape is what makes two moments of a machine different situations, whatever the settings: its state, what its timer is for, whether a
// lower advert is remembered, and where the preemption delay stands.
func shape(m *Machine, now Instant) string {
	s := fmt.Sprintf("%v timer %d %v", m.state, m.timer.kind, m.timer.why)
	if m.lower.set {
		s += " lower"
	}
	switch {
	case !m.delay.set:
	case now < m.delay.at:
		s += " delayed"
	default:
		s += " delay over"
	}
	return s
}

// TestGridKnowsEverySituation walks from a new machine through every sequence of the grid's events, for settings of every kind, until nothing
// new is found, and wants each situation it comes through to be a row of the grid.
func TestGridKnowsEverySituation(t *testing.T) {
	rows := map[string]string{}
	all := situations()
	for _, s := range all[:len(all)-len(settings())] {
		m, now := s.arrive()
		rows[shape(m, now)] = s.name
	}
	type point struct {
		m    Machine
		now  Instant
		path string
	}
	var open []point
	for k := range 16 { // the choices below
		p := gridParams()
		p.Preempt = k&1 == 0
		p.Patience *= time.Duration(k >> 1 & 1)
		p.PreemptDelay = 10 * time.Second * time.Duration(k>>2&1)
		if k>>3&1 == 1 {
			p.Priority = 255
		}
		open = append(open, point{m: *New(p)})
	}
	seen, found := map[string]bool{}, map[string]bool{}
	for len(open) > 0 {
		x := open[0]
		open = open[1:]
		settings := x.m.params
		settings.Addresses = nil
		key := shape(&x.m, x.now) + fmt.Sprintf("%+v", settings)
		if seen[key] {
			continue
		}
		seen[key] = true
		found[shape(&x.m, x.now)] = true
		if rows[shape(&x.m, x.now)] == "" {
			t.Errorf("no row of the grid is about %q, which follows from%s", shape(&x.m, x.now), x.path)
			rows[shape(&x.m, x.now)] = "missing"
		}
		for _, e := range gridEvents() {
			for _, late := range []time.Duration{0, 10 * time.Second} {
				m := x.m
				now := max(x.now, e.moment(&m, x.now)).Add(late)
				m.Step(now, e.to(&m))
				open = append(open, point{m, now, x.path + " / " + e.name})
			}
		}
	}
	for s, name := range rows {
		if !found[s] && name != "missing" {
			t.Errorf("nothing leads to %q, the situation %q", s, name)
		}
	}
	t.Logf("%d situations of a machine", len(found))
}

// The grid knows every kind of event there is, every ruling, and every state.
func TestGridIsComplete(t *testing.T) {
	columns, rulings := map[string]bool{}, map[Ruling]bool{}
	for _, e := range gridEvents() {
		columns[reflect.TypeOf(e.to(New(gridParams()))).Name()] = true
		if r, ok := e.event.(Ruled); ok {
			rulings[r.Ruling] = true
		}
	}
	kinds := receivers(t, "event.go", "event")
	if got := slices.Sorted(maps.Keys(columns)); !slices.Equal(got, kinds) {
		t.Errorf("the grid has columns for %v, the events are %v", got, kinds)
	}
	for r := NoRuling; r.String() != "unknown"; r++ {
		if !rulings[r] {
			t.Errorf("the grid has no column for the ruling %v", r)
		}
	}
	states := map[State]bool{}
	for _, s := range situations() {
		m, _ := s.arrive()
		states[m.state] = true
	}
	for s := Initialize; s.String() != "UNKNOWN"; s++ {
		if !states[s] {
			t.Errorf("the grid has no row for the state %v", s)
		}
	}
}

// Every action that a machine may want occurs in the grid.
func TestGridReachesEveryAction(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range situations() {
		for _, e := range gridEvents() {
			m, now := s.arrive()
			for _, a := range m.Step(e.moment(m, now), e.to(m)) {
				seen[reflect.TypeOf(a).Name()] = true
			}
		}
	}
	if got, kinds := slices.Sorted(maps.Keys(seen)), receivers(t, "action.go", "action"); !slices.Equal(got, kinds) {
		t.Errorf("the grid reaches %v, the actions are %v", got, kinds)
	}
}

// receivers returns the types in a file that have the method, sorted: the members of a
// closed set, read from the source, so that a new one cannot be forgotten here.
func receivers(t *testing.T, file, method string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range parsed.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv == nil || f.Name.Name != method {
			continue
		}
		ident, ok := f.Recv.List[0].Type.(*ast.Ident)
		if !ok {
			t.Fatalf("%s has a receiver of method %s that is no plain type", file, method)
		}
		names = append(names, ident.Name)
	}
	if len(names) == 0 {
		t.Fatalf("%s has no type with the method %s", file, method)
	}
	slices.Sort(names)
	return names
}

// An event that is no member of the set, nil included, changes nothing anywhere.
func TestStepWithNil(t *testing.T) {
	for _, s := range situations() {
		m, now := s.arrive()
		before := *m
		if got := m.Step(now, nil); got != nil || !reflect.DeepEqual(before, *m) {
			t.Errorf("%s: nil gave %v", s.name, got)
		}
	}
	broken := &Machine{state: 99}
	if got := broken.Step(0, Start{Source: netip.Addr{}}); got != nil {
		t.Errorf("a state that does not exist gave %v", got)
	}
}
