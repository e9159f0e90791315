package service

import (
	"context"
	"slices"
	"time"
)

// kind is a question to the kernel about one port.
type kind uint8

const (
	askSignals kind = iota
	askSent
	askBus
	askLink
	askMode
	askMII
	askFirmware
	askModule
	numKinds
)

// String is a word for status.
func (k kind) String() string {
	return [numKinds]string{"signals", "counters", "bus", "link", "mode", "phy", "driver", "module"}[k]
}

// lane is a queue of questions of which one is asked at a time, because they wait for the same lock anyway: that of
// nothing, that of the PCI bus, and that of the kernel's network configuration.
type lane struct {
	waiting []question
	asking  question
	busy    bool
	since   time.Duration
}

type question struct {
	of   *record
	kind kind
}

// said is the answer to a question: what it does to the record.
type said struct {
	question
	apply func(r *record)
}

// enqueue has a question asked, unless it waits already or nobody could answer it.
func (e *examiner) enqueue(r *record, kinds ...kind) {
	for _, k := range kinds {
		q := question{of: r, kind: k}
		l := &e.lanes[k.lane()]
		if !r.answers(k) || slices.Contains(l.waiting, q) || l.busy && l.asking == q {
			continue
		}
		if _, stuck := e.given[q]; !stuck {
			l.waiting = append(l.waiting, q)
			r.asked[k] = e.now()
		}
	}
}

// answers says that there is somebody to ask.
func (r *record) answers(k kind) bool {
	if k.lane() == driverLane {
		return r.state.Present
	}
	return r.sensor != nil
}

const (
	sysfsLane = iota
	busLane
	driverLane
)

func (k kind) lane() int {
	switch k {
	case askSignals, askSent:
		return sysfsLane
	case askBus:
		return busLane
	default:
		return driverLane
	}
}

// ask has the next question of each lane asked, and gives up those that are overdue.
func (e *examiner) ask(ctx context.Context) {
	now := e.now()
	for i := range e.lanes {
		l := &e.lanes[i]
		if l.busy && now-l.since >= overdue && e.givenUp(i) < givenUpAtOnce {
			e.given[l.asking] = l.since
			l.busy = false
			e.log.Debug("the kernel does not answer: " + l.asking.kind.String() + " of " + l.asking.of.state.Name)
		}
		if l.busy || len(l.waiting) == 0 {
			continue
		}
		q := l.waiting[0]
		l.waiting = l.waiting[1:]
		l.asking, l.busy, l.since = q, true, now
		put := e.question(q)
		go func() { tell(ctx, e.replies, said{q, put()}) }()
	}
}

// givenUp counts the questions of a lane that were never answered.
func (e *examiner) givenUp(lane int) int {
	n := 0
	for q := range e.given {
		if q.kind.lane() == lane {
			n++
		}
	}
	return n
}

// question is what a goroutine of its own does: it asks the kernel, and returns what the answer changes. It
// reads nothing that changes meanwhile.
func (e *examiner) question(q question) func() func(*record) {
	at, sensor, edge := e.now(), q.of.sensor, e.edge
	index, handed := q.of.state.Index, q.of.sent.handed
	switch q.kind {
	case askSignals:
		return func() func(*record) {
			v := sensor.Read()
			return func(r *record) { r.takeSignals(at, v) }
		}
	case askSent:
		return func() func(*record) {
			v := sensor.ReadSent()
			return func(r *record) { r.takeSent(at, handed, v) }
		}
	case askBus:
		return func() func(*record) {
			v := sensor.Answers()
			return func(r *record) { r.takeBus(v) }
		}
	case askLink:
		return func() func(*record) {
			v, err := edge.Link(index)
			return func(r *record) { r.takeLink(at, v, err) }
		}
	case askMode:
		return func() func(*record) {
			v, err := edge.Mode(index)
			return func(r *record) { r.takeMode(at, v, err) }
		}
	case askMII:
		return func() func(*record) {
			v, err := edge.MII(index)
			return func(r *record) { r.takeMII(at, v, err) }
		}
	case askFirmware:
		return func() func(*record) {
			v, err := edge.Driver(index)
			return func(r *record) { r.takeDriver(v, err) }
		}
	default:
		return func() func(*record) {
			v, err := edge.Module(index)
			return func(r *record) { r.takeModule(at, v, err) }
		}
	}
}

// takeReply works in an answer, in time or not.
func (e *examiner) takeReply(a said) {
	l := &e.lanes[a.kind.lane()]
	if l.busy && l.asking == a.question {
		l.busy = false
	}
	delete(e.given, a.question)
	a.apply(a.of)
}
