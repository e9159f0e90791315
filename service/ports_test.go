package service

import (
	"testing"
	"time"

	"standfast/hw/port"
	"standfast/vrrp/node"
	"standfast/vrrp/verdict"
)

func up(index int, name string, losses uint32) port.State {
	return port.State{
		Index: index, Name: name, Present: true, AdminUp: true,
		Carrier: port.CarrierUp, DownCount: losses, DownCountKnown: true,
	}
}

func down(index int, name string, losses uint32) port.State {
	s := up(index, name, losses)
	s.Carrier = port.CarrierDown
	return s
}

func TestBook(t *testing.T) {
	all := func(states ...port.State) port.Change { return port.Change{Resync: true, States: states} }
	for name, c := range map[string]struct {
		changes []port.Change
		index   int // of p0; 0: it is not there
		carrier port.Carrier
	}{
		"a reading replaces":      {[]port.Change{all(up(1, "p0", 0)), all(up(2, "p1", 0))}, 0, port.CarrierUnknown},
		"a change adds":           {[]port.Change{all(up(1, "p1", 0)), {States: []port.State{up(2, "p0", 0)}}}, 2, port.CarrierUp},
		"a removal":               {[]port.Change{all(up(1, "p0", 0)), {Removed: []int{1}}}, 0, port.CarrierUnknown},
		"made again":              {[]port.Change{all(up(1, "p0", 0)), {Removed: []int{1}, States: []port.State{up(9, "p0", 0)}}}, 9, port.CarrierUp},
		"made again, same index":  {[]port.Change{all(down(1, "p0", 7)), {Removed: []int{1}, States: []port.State{up(1, "p0", 0)}}}, 1, port.CarrierUp},
		"renamed":                 {[]port.Change{all(up(1, "p0", 0)), {States: []port.State{up(1, "p9", 0)}}}, 0, port.CarrierUnknown},
		"renamed to":              {[]port.Change{all(up(1, "p9", 0)), {States: []port.State{up(1, "p0", 0)}}}, 1, port.CarrierUp},
		"overtaken report":        {[]port.Change{all(down(1, "p0", 1)), {States: []port.State{up(1, "p0", 0)}}}, 1, port.CarrierDown},
		"the carrier comes back":  {[]port.Change{all(down(1, "p0", 1)), {States: []port.State{up(1, "p0", 1)}}}, 1, port.CarrierUp},
		"the count begins afresh": {[]port.Change{all(down(1, "p0", 1<<32-1)), {States: []port.State{up(1, "p0", 0)}}}, 1, port.CarrierUp},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook()
			for _, change := range c.changes {
				b.apply(change)
			}
			if got := b.find("p0"); got.Index != c.index || got.Carrier != c.carrier {
				t.Errorf("p0 has index %d and carrier %v, want %d and %v", got.Index, got.Carrier, c.index, c.carrier)
			}
		})
	}
}

func TestBookTellsEachLossOnce(t *testing.T) {
	b := newBook()
	b.apply(port.Change{Resync: true, States: []port.State{up(1, "p0", 4)}})
	for i, c := range []struct {
		count uint32
		want  bool
	}{{4, false}, {5, true}, {5, false}, {4, false}, {9, true}, {1 << 31, true}, {1<<32 - 1, true}, {0, true}, {0, false}} {
		if got := b.lost(1, c.count); got != c.want {
			t.Errorf("count %d of %d: lost is %v, want %v", i, c.count, got, c.want)
		}
	}
	b.apply(port.Change{Removed: []int{1}})
	if b.lost(1, 1) {
		t.Error("the first count of a port that was made again is a loss")
	}
}

func TestSieve(t *testing.T) {
	v := &sieve{left: hearsayInSecond}
	passed := 0
	for i := range 10 * hearsayInSecond {
		if v.passes(time.Duration(i) * 2 * time.Millisecond) {
			passed++
		}
	}
	if passed != 2*hearsayInSecond {
		t.Errorf("%d passed in two seconds, want %d", passed, 2*hearsayInSecond)
	}
}

func TestLatest(t *testing.T) {
	l := newLatest[int]()
	l.put(1)
	l.put(2)
	if got := <-l; got != 2 {
		t.Errorf("got %d, want the newest", got)
	}
	select {
	case v := <-l:
		t.Errorf("got %d as well", v)
	default:
	}
}

func TestPortState(t *testing.T) {
	b := newBook()
	s := up(3, "p0", 0)
	b.apply(port.Change{Resync: true, States: []port.State{s}})
	b.testimony = testimony{"p0": {index: 3, facts: verdict.Facts(0).With(verdict.FactDetached), culprit: "lost", hardware: Hardware{Driver: "igb"}}}
	got := b.portState("p0")
	if !got.Present || got.Driver != "igb" || got.Carrier != node.CarrierUp || got.Culprit != "lost" || !got.Facts.Has(verdict.FactDetached) {
		t.Errorf("p0 is %+v", got)
	}
	if got := b.portState("p1"); got.Present {
		t.Errorf("p1 is %+v", got)
	}
	b.apply(port.Change{Removed: []int{3}})
	if got := b.portState("p0"); got.Present || got.Culprit != "lost" || got.Driver != "igb" {
		t.Errorf("p0, which is gone, is %+v", got)
	}
	b.apply(port.Change{States: []port.State{up(4, "p0", 0)}})
	if got := b.portState("p0"); !got.Present || got.Culprit != "" || got.Facts != 0 {
		t.Errorf("p0, which was made again, is %+v", got)
	}
}
