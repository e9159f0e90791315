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

var situations = []situation{
	{"INIT", func() (*Machine, Instant) {
		return New(gridParams()), 0
	}},
	{"INIT, owner consulting", func() (*Machine, Instant) {
		p := gridParams()
		p.Priority = 255
		return after(p, 0, Start{Source: gridSource})
	}},
	{"BACKUP", func() (*Machine, Instant) {
		return after(gridParams(), 0, Start{Source: gridSource})
	}},
	{"BACKUP, nopreempt", func() (*Machine, Instant) {
		p := gridParams()
		p.Preempt = false
		return after(p, 0, Start{Source: gridSource})
	}},
	{"BACKUP, preemption delayed", func() (*Machine, Instant) {
		p := gridParams()
		p.PreemptDelay = 10 * time.Second
		return after(p, 0, Start{Source: gridSource}, heard(50, "192.0.2.50"))
	}},
	{"BACKUP, goodbye heard", func() (*Machine, Instant) {
		return after(gridParams(), 0, Start{Source: gridSource}, heard(0, "192.0.2.200"))
	}},
	{"BACKUP, held", func() (*Machine, Instant) {
		return after(gridParams(), 0, Start{Source: gridSource}, Ruled{Ruling: Hold, For: 5 * time.Second})
	}},
	{"BACKUP, consulting", func() (*Machine, Instant) {
		m, _ := after(gridParams(), 0, Start{Source: gridSource})
		deadline, _ := m.Deadline()
		m.Step(deadline, Expired{})
		return m, deadline
	}},
	{"MASTER", func() (*Machine, Instant) {
		return after(gridParams(), 0, Start{Source: gridSource}, Ruled{Ruling: TakeOver})
	}},
	{"FAULT", func() (*Machine, Instant) {
		return after(gridParams(), 0, Start{Source: gridSource}, Failed{})
	}},
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

// gridEvent is a column of the grid.
type gridEvent struct {
	name string
	// wait is how long after the situation arose it happens; onTime waits for the
	// deadline, if there is one.
	wait   time.Duration
	onTime bool
	event  Event
}

const soon = 50 * time.Millisecond

func gridEvents() []gridEvent {
	quicker, slower := gridParams(), gridParams()
	quicker.Interval, slower.Interval = 500*time.Millisecond, 2*time.Second
	stronger := gridParams()
	stronger.Priority = 150
	return []gridEvent{
		{"start", soon, false, Start{Source: gridSource}},
		{"stop", soon, false, Stop{}},
		{"heard goodbye", soon, false, heard(0, "192.0.2.200")},
		{"heard lower", soon, false, heard(50, "192.0.2.200")},
		{"heard equal, lower address", soon, false, heard(100, "192.0.2.50")},
		{"heard equal, own address", soon, false, heard(100, "192.0.2.100")},
		{"heard equal, higher address", soon, false, heard(100, "192.0.2.200")},
		{"heard higher", soon, false, heard(200, "192.0.2.50")},
		{"expired early", soon, false, Expired{}},
		{"expired", 0, true, Expired{}},
		{"ruled nothing", soon, false, Ruled{}},
		{"ruled take-over", soon, false, Ruled{Ruling: TakeOver}},
		{"ruled hold", soon, false, Ruled{Ruling: Hold}},
		{"ruled hold for 2s", soon, false, Ruled{Ruling: Hold, For: 2 * time.Second}},
		{"ruled step-down", soon, false, Ruled{Ruling: StepDown}},
		{"ruled step-down for 2s", soon, false, Ruled{Ruling: StepDown, For: 2 * time.Second}},
		{"failed", soon, false, Failed{}},
		{"repaired", soon, false, Repaired{}},
		{"reprioritized to 150", soon, false, Reprioritized{Priority: 150}},
		{"reprioritized to 50", soon, false, Reprioritized{Priority: 50}},
		{"reprioritized to 0", soon, false, Reprioritized{Priority: 0}},
		{"reconfigured, interval 500ms", soon, false, Reconfigured{Params: quicker}},
		{"reconfigured, interval 2s", soon, false, Reconfigured{Params: slower}},
		{"reconfigured, priority 150", soon, false, Reconfigured{Params: stronger}},
		{"addressed", soon, false, Addressed{Source: addr("192.0.2.7")}},
	}
}

// cell runs one event in one situation and writes down what follows: the actions, the
// state, how far away the deadline is, and what differs from the usual. "nothing" means
// that not a bit of the machine has changed.
func cell(s situation, e gridEvent) string {
	m, now := s.arrive()
	before, source := *m, m.source
	now = now.Add(e.wait)
	if deadline, ok := m.Deadline(); ok && e.onTime {
		now = deadline
	}
	actions := m.Step(now, e.event)
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

func TestGrid(t *testing.T) {
	for _, s := range situations {
		cells, ok := grid[s.name]
		if !ok {
			t.Errorf("the situation %q has no row", s.name)
		}
		known := map[string]bool{}
		for _, e := range gridEvents() {
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
	if len(grid) != len(situations) {
		t.Errorf("the grid has %d rows for %d situations", len(grid), len(situations))
	}
}

// The grid knows every kind of event there is, every ruling, and every state.
func TestGridIsComplete(t *testing.T) {
	columns, rulings := map[string]bool{}, map[Ruling]bool{}
	for _, e := range gridEvents() {
		columns[reflect.TypeOf(e.event).Name()] = true
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
	for _, s := range situations {
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
	for _, s := range situations {
		for _, e := range gridEvents() {
			m, now := s.arrive()
			if deadline, ok := m.Deadline(); ok && e.onTime {
				now = deadline
			}
			for _, a := range m.Step(now, e.event) {
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
	for _, s := range situations {
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
