package service

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"standfast/hw/ethtool"
	"standfast/hw/port"
	"standfast/vrrp/node"
	"standfast/vrrp/verdict"
)

func count(n uint64) port.Count { return port.Count{N: n, Known: true} }

// TestTransmit compares frames that are handed over every second, so many at a time, with what a driver counts: at once, late, in
// leaps, never, or no longer.
func TestTransmit(t *testing.T) {
	type driver func(second int, handed uint64) port.Count
	at := func(lag int, rate uint64) driver {
		return func(second int, _ uint64) port.Count { return count(rate * uint64(max(0, second-lag))) }
	}
	until := func(stop int) driver {
		return func(second int, handed uint64) port.Count { return count(min(handed, uint64(stop))) }
	}
	for name, c := range map[string]struct {
		rate    uint64
		from    int // second in which handing over begins
		counter driver
		stalled int // the first second in which it counts as stalled, 0: never
	}{
		"counts at once":                     {1, 0, at(0, 1), 0},
		"counts two seconds late":            {1, 0, at(2, 1), 0},
		"a hundred a second, two late":       {100, 0, at(2, 100), 0},
		"begins after long silence":          {100, 60, func(second int, _ uint64) port.Count { return count(7 + 100*uint64(max(0, second-62))) }, 0},
		"counts in leaps of eight seconds":   {1, 0, func(second int, _ uint64) port.Count { return count(uint64(second / 8 * 8)) }, 0},
		"never counts":                       {1, 0, func(int, uint64) port.Count { return count(0) }, 0},
		"has no counter":                     {1, 0, func(int, uint64) port.Count { return port.Count{} }, 0},
		"others' frames leave":               {0, 0, at(0, 3), 0},
		"nothing is handed over any more":    {0, 0, until(30), 0},
		"stops":                              {1, 0, until(30), 40},
		"stops, of many":                     {100, 0, until(3000), 40},
		"begins afresh":                      {1, 0, func(second int, _ uint64) port.Count { return count(uint64(second % 30)) }, 0},
		"is sometimes not to be had":         {1, 0, func(second int, h uint64) port.Count { return port.Count{N: h, Known: second%3 != 0} }, 0},
		"stops, and is sometimes not to get": {1, 0, func(second int, h uint64) port.Count { return port.Count{N: min(h, 30), Known: second%7 != 0} }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var x transmit
			first := 0
			var handed uint64
			for second := range 200 {
				if second >= c.from {
					handed += c.rate
				}
				x.take(time.Duration(second)*time.Second, handed, c.counter(second, handed))
				if x.stalled && first == 0 {
					first = second
				}
			}
			if first != c.stalled {
				t.Errorf("stalled from second %d on, want %d", first, c.stalled)
			}
		})
	}
}

// liveRecord is the record of a port that has had carrier for a minute, of a driver that has everything.
func liveRecord() *record {
	return &record{
		state: port.State{Name: "p1", Index: 3, Present: true, AdminUp: true, Carrier: port.CarrierUp, DownCountKnown: true},
		since: time.Minute, identity: port.Identity{Driver: "mlx5_core", Bus: "0000:81:00.0", Card: "0000:81:00"}, asked: map[kind]time.Duration{},
	}
}

func (r *record) goDark(at time.Duration) {
	s := r.state
	s.Carrier, s.DownCount = port.CarrierDown, s.DownCount+1
	r.see(s, at)
}

func (r *record) comeBack(at time.Duration) {
	s := r.state
	s.Carrier = port.CarrierUp
	r.see(s, at)
}

func downFor(state ethtool.ExtState) ethtool.Link {
	return ethtool.Link{Carrier: ethtool.Down, State: ethtool.Maybe[ethtool.ExtState]{Known: true, V: state}}
}

// TestRecord tells what became of a port and what of it still holds, two minutes after the start.
func TestRecord(t *testing.T) {
	const now = 2 * time.Minute
	partner := ethtool.Mode{Partner: ethtool.Modes{1 << 5}}
	page := func(received bool) ethtool.MII { return ethtool.MII{PageReceived: maybe(received)} }
	dimmed := oneLane(ethtool.Lane{LightLost: maybe(true)})
	for name, c := range map[string]struct {
		happen func(r *record)
		want   []string
	}{
		"well":                     {func(*record) {}, nil},
		"why there is no link":     {func(r *record) { r.goDark(100e9); r.takeLink(101e9, downFor(ethtool.ExtNoCable), nil) }, []string{"cage-empty"}},
		"asked before it was lost": {func(r *record) { r.goDark(100e9); r.takeLink(99e9, downFor(ethtool.ExtNoCable), nil) }, nil},
		"the link came back": {func(r *record) {
			r.goDark(100e9)
			r.takeLink(101e9, downFor(ethtool.ExtNoCable), nil)
			r.comeBack(102e9)
		}, nil},
		"and was lost again": {func(r *record) {
			r.goDark(100e9)
			r.takeLink(101e9, downFor(ethtool.ExtNoCable), nil)
			r.comeBack(102e9)
			r.goDark(103e9)
		}, nil},
		"the driver failed since": {func(r *record) {
			r.goDark(100e9)
			r.takeLink(101e9, downFor(ethtool.ExtNoCable), nil)
			r.takeLink(102e9, ethtool.Link{}, errors.New("no"))
		}, []string{"cage-empty"}},
		"a driver lost its device once": {func(r *record) { r.takeLink(100e9, ethtool.Link{}, ethtool.ErrDetached) }, nil},
		"twice": {func(r *record) {
			r.takeLink(100e9, ethtool.Link{}, ethtool.ErrDetached)
			r.takeLink(101e9, ethtool.Link{}, ethtool.ErrDetached)
		}, []string{"detached"}},
		"and found it": {func(r *record) {
			r.takeLink(100e9, ethtool.Link{}, ethtool.ErrDetached)
			r.takeLink(101e9, ethtool.Link{}, ethtool.ErrDetached)
			r.takeLink(102e9, ethtool.Link{}, nil)
		}, nil},
		"the kernel calls it not present": {func(r *record) { r.state.OperState = port.OperNotPresent }, []string{"detached"}},
		"silent on the bus once":          {func(r *record) { r.takeBus(port.No) }, nil},
		"twice in a row":                  {func(r *record) { r.takeBus(port.No); r.takeBus(port.No) }, []string{"card-silent"}},
		"not in a row":                    {func(r *record) { r.takeBus(port.No); r.takeBus(port.Yes); r.takeBus(port.No) }, nil},
		"asleep in between":               {func(r *record) { r.takeBus(port.No); r.takeBus(port.Unknown); r.takeBus(port.No) }, nil},
		"a partner that announces":        {func(r *record) { r.goDark(100e9); r.takeMode(101e9, partner, nil) }, []string{"partner-abilities"}},
		"that announced before":           {func(r *record) { r.goDark(100e9); r.takeMode(99e9, partner, nil) }, nil},
		"of a driver that repeats itself": {func(r *record) { r.identity.Driver = "e1000e"; r.goDark(100e9); r.takeMode(101e9, partner, nil) }, nil},
		"a page, the first time":          {func(r *record) { r.goDark(100e9); r.takeMII(101e9, page(true), nil) }, nil},
		"a page, the second time":         {func(r *record) { r.goDark(100e9); r.takeMII(101e9, page(true), nil); r.takeMII(102e9, page(true), nil) }, []string{"partner-speaks"}},
		"no page, the second time": {func(r *record) {
			r.goDark(100e9)
			r.takeMII(101e9, page(true), nil)
			r.takeMII(102e9, page(false), nil)
		}, nil},
		"registers that cannot be read": {func(r *record) {
			r.goDark(100e9)
			r.takeMII(101e9, page(true), nil)
			r.takeMII(102e9, page(true), errors.New("no"))
		}, nil},
		"no light":                       {func(r *record) { r.goDark(100e9); r.takeModule(101e9, dimmed, nil) }, []string{"no-light"}},
		"no module, and there never was": {func(r *record) { r.goDark(100e9); r.takeModule(101e9, ethtool.Module{}, ethtool.ErrModuleSilent) }, nil},
		"no module any more": {func(r *record) {
			r.takeModule(90e9, dimmed, nil)
			r.goDark(100e9)
			r.takeModule(101e9, ethtool.Module{}, ethtool.ErrModuleSilent)
		}, []string{"module-missing"}},
		"no module, and a link all the same": {func(r *record) {
			r.takeModule(90e9, dimmed, nil)
			r.takeModule(101e9, ethtool.Module{}, ethtool.ErrModuleSilent)
		}, nil},
		"a module that was not to be read": {func(r *record) {
			r.takeModule(90e9, ethtool.Module{}, nil)
			r.goDark(100e9)
			r.takeModule(101e9, ethtool.Module{}, errors.New("no"))
		}, nil},
		"switched off with the laser": {func(r *record) {
			r.takeModule(90e9, oneLane(ethtool.Lane{TransmitOff: maybe(true)}), nil)
			r.state.AdminUp = false
		}, nil},
		"a queue hung": {func(r *record) {
			r.takeSignals(90e9, port.Signals{Timeouts: count(0)})
			r.takeSignals(100e9, port.Signals{Timeouts: count(1)})
		}, []string{"transmit-hung"}},
		"a queue hung, long ago": {func(r *record) {
			r.takeSignals(70e9, port.Signals{Timeouts: count(0)})
			r.takeSignals(80e9, port.Signals{Timeouts: count(1)})
		}, nil},
		"hung before we looked": {func(r *record) { r.takeSignals(100e9, port.Signals{Timeouts: count(7)}) }, nil},
		"errors, corrected": {func(r *record) {
			r.takeSignals(90e9, port.Signals{Corrected: count(0)})
			r.takeSignals(100e9, port.Signals{Corrected: count(1)})
		}, []string{"errors-corrected"}},
		"held down":               {func(r *record) { r.takeSignals(100e9, port.Signals{ProtoDown: port.Yes}) }, []string{"proto-down"}},
		"testing":                 {func(r *record) { r.takeSignals(100e9, port.Signals{Testing: port.Yes}) }, []string{"testing"}},
		"without a driver":        {func(r *record) { r.takeSignals(100e9, port.Signals{Plugged: port.Yes, Bound: port.No}) }, []string{"unbound"}},
		"not hardware":            {func(r *record) { r.takeSignals(100e9, port.Signals{}) }, nil},
		"recovering":              {func(r *record) { r.takeRecovery(100e9, port.RecoveryBegun) }, []string{"recovering"}},
		"recovering for too long": {func(r *record) { r.takeRecovery(59e9, port.RecoveryBegun) }, nil},
		"recovered":               {func(r *record) { r.takeRecovery(100e9, port.RecoveryBegun); r.takeRecovery(101e9, port.RecoveryDone) }, nil},
		"not recovered":           {func(r *record) { r.takeRecovery(10e9, port.RecoveryFailed) }, []string{"recovery-failed"}},
		"not recovered, and frames leave": {func(r *record) {
			r.takeRecovery(10e9, port.RecoveryFailed)
			r.takeSent(20e9, 1, count(1))
			r.takeSent(30e9, 2, count(2))
		}, nil},
		"not recovered, frames left before": {func(r *record) {
			r.takeSent(1e9, 1, count(1))
			r.takeSent(2e9, 2, count(2))
			r.takeRecovery(10e9, port.RecoveryFailed)
		}, []string{"recovery-failed"}},
		"slower, and nobody speaks": {func(r *record) {
			r.heard = 90e9
			r.takeMode(95e9, ethtool.Mode{SpeedMbit: 1000}, nil)
			r.goDark(100e9)
			r.comeBack(103e9)
			r.takeMode(104e9, ethtool.Mode{SpeedMbit: 100}, nil)
		}, []string{"partner-asleep"}},
		"slower, and somebody speaks": {func(r *record) {
			r.heard = 90e9
			r.takeMode(95e9, ethtool.Mode{SpeedMbit: 1000}, nil)
			r.goDark(100e9)
			r.comeBack(103e9)
			r.takeMode(104e9, ethtool.Mode{SpeedMbit: 100}, nil)
			r.heard = 105e9
		}, nil},
		"as fast as before": {func(r *record) {
			r.heard = 90e9
			r.takeMode(95e9, ethtool.Mode{SpeedMbit: 1000}, nil)
			r.goDark(100e9)
			r.comeBack(103e9)
			r.takeMode(104e9, ethtool.Mode{SpeedMbit: 1000}, nil)
		}, nil},
		"slower, and nobody ever spoke": {func(r *record) {
			r.takeMode(95e9, ethtool.Mode{SpeedMbit: 1000}, nil)
			r.goDark(100e9)
			r.comeBack(103e9)
			r.takeMode(104e9, ethtool.Mode{SpeedMbit: 100}, nil)
		}, nil},
		"slower, for a moment": {func(r *record) {
			r.heard = 90e9
			r.takeMode(95e9, ethtool.Mode{SpeedMbit: 1000}, nil)
			r.goDark(100e9)
			r.comeBack(119e9)
			r.takeMode(119e9, ethtool.Mode{SpeedMbit: 100}, nil)
		}, nil},
		"of unknown speed": {func(r *record) {
			r.heard = 90e9
			r.takeMode(95e9, ethtool.Mode{SpeedMbit: 1000}, nil)
			r.goDark(100e9)
			r.comeBack(103e9)
			r.takeMode(104e9, ethtool.Mode{}, nil)
		}, nil},
		"gone, and its device is there": {func(r *record) {
			r.state.Present = false
			r.takeSignals(100e9, port.Signals{Plugged: port.Yes, Bound: port.Yes})
		}, nil},
		"gone with its device, of one port": {func(r *record) {
			r.state.Present = false
			r.takeSignals(100e9, port.Signals{Plugged: port.No, Bound: port.No})
		}, []string{"card-gone"}},
		"its device gone, and it is there yet": {func(r *record) { r.takeSignals(100e9, port.Signals{Plugged: port.No, Bound: port.No}) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := liveRecord()
			c.happen(r)
			r.forgive(now)
			if diff := cmp.Diff(append([]string{}, c.want...), factWords(r.reading(now, !r.state.Present).facts())); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCulprit(t *testing.T) {
	r, sibling := liveRecord(), liveRecord()
	sibling.state.Name = "p2"
	both := []*record{r, sibling}
	only := func(f verdict.Fact) func(*record) verdict.Facts {
		return func(o *record) verdict.Facts {
			if o == r {
				return verdict.Facts(0).With(f)
			}
			return 0
		}
	}
	shared := func(f verdict.Fact) func(*record) verdict.Facts {
		return func(*record) verdict.Facts { return verdict.Facts(0).With(f) }
	}
	for f := range verdict.EveryFact() {
		switch alone, together := r.culprit(only(f)(r), both, only(f)), r.culprit(shared(f)(r), both, shared(f)); {
		case f == verdict.FactCardGone:
			if alone != "card 0000:81:00 gone with p1 p2" || together != alone {
				t.Errorf("%v: %q and %q", f, alone, together)
			}
		case alone != "" && f != verdict.FactRefused:
			t.Errorf("%v of one port: %q, want what the fact says", f, alone)
		case (together != "") != (cardWords(f) != "" || f == verdict.FactRefused):
			t.Errorf("%v of both ports: %q", f, together)
		}
	}
	r.takeLink(time.Minute, downFor(ethtool.ExtBMCRequestDown), nil)
	if got := r.culprit(only(verdict.FactRefused)(r), both, only(verdict.FactRefused)); got != "held down by the board's controller" {
		t.Errorf("refused: %q", got)
	}
	r.state.AdminUp = false
	if got := r.culprit(shared(verdict.FactCardSilent)(r), both, shared(verdict.FactCardSilent)); got != "" {
		t.Errorf("switched off: %q, want nothing beyond that", got)
	}
}

// examined runs an examiner for the ports of a host, and returns what it published last.
func examined(t *testing.T, h *twinHost) (e *examiner, look func(used ...node.Port), told func() testimony) {
	t.Helper()
	e = newExaminer((*twinHardware)(h), h.edges().now, discard())
	var last testimony
	e.publish = func(t testimony) { last = t }
	go e.run(t.Context())
	var alarm uint64
	look = func(used ...node.Port) {
		states, _ := (*twinPorts)(h).Snapshot()
		alarm++
		o := outlook{all: states, used: map[node.Port]bool{}, alarm: alarm}
		for _, name := range used {
			o.used[name] = true
		}
		e.looks.put(o)
		time.Sleep(10 * time.Second)
		synctest.Wait()
	}
	return e, look, func() testimony { return last }
}

func TestExaminerFollowsInterfaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.host("a")
		h.plug(&segment{}, "p1")
		h.plug(&segment{}, "p2")
		e, look, told := examined(t, h)
		look("p1", "p9")
		if got := told(); len(got) != 1 || got["p1"].index != h.ports["p1"].state.Index || got["p1"].hardware.Driver != "twin" {
			t.Errorf("p1, and p9 which never was: %+v", got)
		}
		h.ports["p1"].state.Name = "q1"
		look("p1", "q1")
		if got := told(); len(got) != 1 || got["q1"].index == 0 {
			t.Errorf("renamed: %+v", got)
		}
		h.ports["p1"].state.Name = "p1"
		look("p1")
		h.ports["p1"].state.Index = 77
		look("p1")
		if got := told()["p1"].index; got != 77 {
			t.Errorf("made again: index %d", got)
		}
		h.ports["p2"].state.Present = false
		look("p1")
		if _, ok := e.records["p2"]; ok {
			t.Error("an interface that is gone, without hardware and not used, is remembered")
		}
	})
}

// TestGivenUpQuestionsAreBounded has no driver ever answer.
func TestGivenUpQuestionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.host("a")
		var names []node.Port
		release := make(chan struct{})
		for _, name := range []string{"p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"} {
			h.plug(&segment{}, name)
			names = append(names, node.Port(name))
			for _, what := range []string{"link", "mode", "module", "driver"} {
				h.drivers.hung[what+" "+name] = release
			}
		}
		_, look, told := examined(t, h)
		for range 30 {
			look(names...)
		}
		asked := 0
		for _, n := range h.drivers.asked {
			asked += n
		}
		if asked != givenUpAtOnce+1 {
			t.Errorf("%d questions were asked of a kernel that does not answer, want %d", asked, givenUpAtOnce+1)
		}
		if got := told()["p1"].hardware.Unanswered; len(got) == 0 {
			t.Error("that nobody answers is not told")
		}
		clear(h.drivers.hung)
		close(release)
		look(names...)
		look(names...)
		for name, f := range told() {
			if f.hardware.Driver != "twin" || f.hardware.Firmware == "" || len(f.hardware.Unanswered) > 0 {
				t.Errorf("%s, which answers again: %+v", name, f.hardware)
			}
		}
	})
}

func TestKindsHaveWords(t *testing.T) {
	var seen []string
	for k := range numKinds {
		if w := k.String(); w == "" || slices.Contains(seen, w) {
			t.Errorf("question %d is called %q", k, w)
		} else {
			seen = append(seen, w)
		}
	}
}

// TestPortsThatLiveOnOthers has a macvlan on a VLAN on a port: what is wrong with the port is wrong with both, and it is named.
func TestPortsThatLiveOnOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.host("a")
		for _, name := range []string{"p1", "p1.5", "m1"} {
			h.plug(&segment{}, name)
		}
		h.drivers.beneath["m1"], h.drivers.beneath["p1.5"] = "p1.5", "p1"
		_, look, told := examined(t, h)
		look("m1")
		if got := told(); len(got) != 1 || got["m1"].facts != 0 || got["m1"].culprit != "" {
			t.Errorf("well: %+v", got)
		}
		h.drivers.failing["p1"] = ethtool.ErrDetached
		look("m1")
		look("m1")
		if got := told()["m1"]; !got.facts.Has(verdict.FactDetached) || got.culprit != "p1.5: p1: its driver has lost the device" {
			t.Errorf("the lowest is lost: %+v", got)
		}
		delete(h.drivers.failing, "p1")
		h.ports["p1.5"].state.AdminUp = false
		look("m1")
		look("m1")
		if got := told()["m1"]; got.facts != 0 || got.culprit != "p1.5 is administratively down" {
			t.Errorf("the middle one is switched off: %+v", got)
		}
		h.drivers.beneath["p1"] = "m1" // which no kernel would do
		look("m1")
	})
}
