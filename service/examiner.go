package service

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"time"

	"standfast/hw/port"
	"standfast/vrrp/node"
	"standfast/vrrp/verdict"
)

// When ports are examined: at once when something happened to one of them, again when the kernel
// has told what it held back, and once more when whatever flapped has settled; and all the time, slowly.
const (
	examineAgain  = 1100 * time.Millisecond
	examineLast   = 3 * time.Second
	examinePause  = 100 * time.Millisecond // between two examinations at once: a carrier may flap a hundred times a second
	linkEvery     = 5 * time.Second        // a device that was detached is noticed by nothing else
	modeEvery     = 15 * time.Second
	busEvery      = 15 * time.Second
	moduleEvery   = 5 * time.Minute // it keeps others from the kernel's configuration lock for tens of milliseconds
	sentEvery     = 2 * time.Second
	brokenEvery   = time.Second     // of ports that are: they may be back
	overdue       = 2 * time.Second // after that a question is given up, and that is told
	givenUpAtOnce = 4               // questions of one lane; each holds a thread of this process
)

// outlook is what an examiner is told by the loop.
type outlook struct {
	all   []port.State                // every interface of the host
	used  map[node.Port]bool          // those of the configuration
	sent  map[node.Port]uint64        // adverts and questions handed to them, so far
	heard map[node.Port]time.Duration // when an advert last came
	alarm uint64                      // moves when something happened to a port
}

// examiner reads what ports and their hardware say. Whatever may wait in the kernel is asked by a goroutine
// that may be given up, so a driver that hangs keeps nobody waiting: that it hangs is told.
type examiner struct {
	edge    hardwareEdge
	now     func() time.Duration
	log     *slog.Logger
	publish func(testimony)

	looks   latest[outlook]
	events  chan port.Uevent
	replies chan said

	records map[string]*record // by name, those that are gone included
	look    outlook
	lanes   [3]lane
	given   map[question]time.Duration // up, since when they were asked
	follow  []time.Duration            // when to examine again, three times after an alarm
	urgent  time.Duration              // when ports were last examined at once
	told    testimony
}

func newExaminer(edge hardwareEdge, now func() time.Duration, log *slog.Logger) *examiner {
	return &examiner{
		edge: edge, now: now, log: log,
		looks: newLatest[outlook](), events: make(chan port.Uevent), replies: make(chan said),
		records: map[string]*record{}, given: map[question]time.Duration{},
		urgent: -examinePause,
	}
}

func (e *examiner) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case look := <-e.looks:
			e.takeOutlook(look)
		case v := <-e.events:
			e.takeEvent(v)
		case a := <-e.replies:
			e.takeReply(a)
		case <-timer.C:
		}
		e.followUp()
		e.ask(ctx)
		e.tell()
		timer.Reset(e.wait())
	}
}

// wait is how long there is nothing to do.
func (e *examiner) wait() time.Duration {
	wait := time.Minute
	now := e.now()
	for _, at := range e.follow {
		wait = min(wait, at-now)
	}
	for i := range e.lanes {
		if e.lanes[i].busy && e.givenUp(i) < givenUpAtOnce {
			wait = min(wait, e.lanes[i].since+overdue-now)
		}
	}
	return max(wait, time.Millisecond)
}

// takeOutlook follows the interfaces of the host and has surveyed what is due.
func (e *examiner) takeOutlook(look outlook) {
	now := e.now()
	alarmed := look.alarm != e.look.alarm
	e.look = look
	listed := map[string]bool{}
	for _, s := range look.all {
		listed[s.Name] = true
		r := e.records[s.Name]
		if r == nil || r.state.Index != s.Index {
			r = &record{state: s, since: now, asked: map[kind]time.Duration{}}
			e.records[s.Name] = r
			e.open(r)
		} else if r.sensor == nil && r.used && alarmed {
			e.open(r)
		}
		r.see(s, now)
	}
	indexes := map[int]string{}
	for _, s := range look.all {
		indexes[s.Index] = s.Name
	}
	for name, r := range e.records {
		if to, ok := indexes[r.state.Index]; ok && to != name { // renamed
			delete(e.records, name)
			continue
		}
		on := node.Port(name)
		if !listed[name] {
			if !look.used[on] && r.identity.Card == "" {
				delete(e.records, name)
				continue
			}
			s := r.state
			s.Present = false
			r.see(s, now)
		}
		r.used, r.sent.handed, r.heard = look.used[on], look.sent[on], look.heard[on]
	}
	if alarmed || e.told == nil {
		e.stack()
	}
	if alarmed {
		e.alarm()
	}
	e.survey()
}

// layers is how many ports may live on one another: a macvlan on a VLAN on a port.
const layers = 3

// stack finds the ports that used ones live on.
func (e *examiner) stack() {
	for _, r := range e.records {
		r.carries, r.on = false, ""
	}
	for _, r := range e.records {
		for range layers - 1 {
			if r == nil || !r.used && !r.carries || r.sensor == nil || !r.state.Present {
				break
			}
			r.on = r.sensor.Beneath()
			if r = e.records[r.on]; r != nil {
				r.carries = true
			}
		}
	}
}

// open finds the hardware of a port, where /sys shows it.
func (e *examiner) open(r *record) {
	sensor, err := e.edge.Sensor(r.state)
	if err != nil {
		e.log.Debug("the hardware of " + r.state.Name + " is not known: " + err.Error())
		return
	}
	driver := r.identity.Driver
	r.sensor, r.identity = sensor, sensor.Identity()
	r.identity.Driver = cmp.Or(r.identity.Driver, driver)
}

// takeEvent follows what the kernel says of devices.
func (e *examiner) takeEvent(v port.Uevent) {
	concerned := v.Lost
	for _, r := range e.records {
		if r.sensor == nil || !r.sensor.Concerned(v) {
			continue
		}
		concerned = true
		if v.Recovery != port.RecoveryNone {
			r.takeRecovery(e.now(), v.Recovery)
		}
		if v.Action == "bind" {
			r.recovery = port.RecoveryNone
		}
	}
	if concerned {
		e.alarm()
	}
}

// alarm has every port examined now, or as soon as the last time is long enough ago, and again later.
func (e *examiner) alarm() {
	now := e.now()
	e.follow = []time.Duration{max(now, e.urgent+examinePause), now + examineAgain, now + examineLast}
}

// followUp examines when it is time. What takes long waits for the second time: a takeover
// that begins now needs the kernel's configuration lock.
func (e *examiner) followUp() {
	now := e.now()
	for len(e.follow) > 0 && e.follow[0] <= now {
		first := len(e.follow) == 3
		e.follow = e.follow[1:]
		e.urgent = now
		for _, r := range e.used() {
			e.enqueue(r, askSignals, askBus)
			if !first || r.state.Carrier != port.CarrierUp {
				e.enqueue(r, askLink, askMode)
			}
			if r.dark() && driverHas(r.identity.Driver, SignalMII) {
				e.enqueue(r, askMII)
			}
			if !first && r.dark() {
				e.enqueue(r, askModule)
			}
		}
	}
}

// survey asks what is due.
func (e *examiner) survey() {
	now := e.now()
	for _, r := range e.used() {
		link, bus := linkEvery, busEvery
		if r.detached > 0 || r.silences > 0 || r.recovery != port.RecoveryNone || r.signals.v.Bound == port.No {
			link, bus = brokenEvery, brokenEvery
		}
		e.every(r, link, askSignals, askLink)
		e.every(r, bus, askBus)
		e.every(r, modeEvery, askMode)
		e.every(r, moduleEvery, askModule)
		if r.firmware == "" {
			e.every(r, moduleEvery, askFirmware)
		}
		if now-r.sent.asked >= sentEvery && r.sent.handed != r.sent.before {
			e.enqueue(r, askSent)
		}
	}
}

// every asks what was not asked for so long.
func (e *examiner) every(r *record, d time.Duration, kinds ...kind) {
	for _, k := range kinds {
		if at, ok := r.asked[k]; !ok || e.now()-at >= d {
			e.enqueue(r, k)
		}
	}
}

// used are the ports of the configuration, and those that they live on, in a fixed order, those that are gone
// included.
func (e *examiner) used() []*record {
	var all []*record
	for _, name := range slices.Sorted(maps.Keys(e.records)) {
		if r := e.records[name]; r.used || r.carries {
			all = append(all, r)
		}
	}
	return all
}

// tell publishes what is known of the ports of the configuration, if it changed.
func (e *examiner) tell() {
	t := e.testimony()
	if e.told == nil || !reflect.DeepEqual(t, e.told) {
		e.told = t
		e.publish(t)
	}
}

func (e *examiner) testimony() testimony {
	now := e.now()
	all := map[*record]verdict.Facts{}
	for _, r := range e.records {
		r.forgive(now)
		all[r] = r.reading(now, e.alone(r)).facts()
	}
	t := testimony{}
	for _, r := range e.used() {
		if r.used {
			t[node.Port(r.state.Name)] = e.finding(r, all, layers)
		}
	}
	return t
}

// finding is what is known of a port and of the ports that it lives on, given the facts of every one.
func (e *examiner) finding(r *record, all map[*record]verdict.Facts, deep int) finding {
	siblings := e.card(r)
	f := finding{index: r.state.Index, facts: all[r], hardware: r.describe()}
	f.culprit = r.culprit(f.facts, siblings, func(o *record) verdict.Facts { return all[o] })
	for _, o := range siblings {
		if o != r {
			f.hardware.Siblings = append(f.hardware.Siblings, node.Port(o.state.Name))
		}
	}
	f.hardware.Unanswered = e.unanswered(r)
	lower := e.records[r.on]
	if lower == nil || deep == 1 || !r.state.Present || !r.state.AdminUp {
		return f
	}
	under := e.finding(lower, all, deep-1)
	f.facts |= beneath(under.facts)
	f.culprit = cmp.Or(f.culprit, lower.blamed(under))
	return f
}

// card are the ports of one card, in order; of a port without hardware itself alone.
func (e *examiner) card(r *record) []*record {
	if r.identity.Card == "" {
		return []*record{r}
	}
	var all []*record
	for _, name := range slices.Sorted(maps.Keys(e.records)) {
		if o := e.records[name]; o.identity.Card == r.identity.Card {
			all = append(all, o)
		}
	}
	return all
}

// alone says that no port of the card is there.
func (e *examiner) alone(r *record) bool {
	return r.identity.Card != "" && !slices.ContainsFunc(e.card(r), func(o *record) bool { return o.state.Present })
}

// unanswered are the questions about a port that were given up.
func (e *examiner) unanswered(r *record) map[string]time.Duration {
	var all map[string]time.Duration
	for q, since := range e.given {
		if q.of == r {
			if all == nil {
				all = map[string]time.Duration{}
			}
			all[q.kind.String()] = since
		}
	}
	return all
}
