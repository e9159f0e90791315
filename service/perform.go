package service

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"standfast/configfs"
	"standfast/hw/probe"
	"standfast/vrrp"
	"standfast/vrrp/node"
)

// historyLength is how many transitions are kept for `why`.
const historyLength = 64

// Moment is a transition that happened, with the wall clock beside it.
type Moment struct {
	Wall       time.Time
	Transition node.Transition
}

// announcement is one frame that tells a segment who owns an address.
type announcement struct {
	conn   announceConn
	addr   netip.Addr
	mac    [6]byte
	router bool
}

// perform does what the brain wants: one edge call, or one message to whoever
// may wait. It never blocks.
func (s *service) perform(a node.Action) {
	switch a := a.(type) {
	case node.SendAdvert:
		s.sendAdvert(a)
	case node.Ask:
		s.ask(a)
	case node.Install:
		s.install(a)
	case node.Withdraw:
		s.withdraw(a)
	case node.Renew:
		s.renew(a)
	case node.Announce:
		s.announce(a.Key, a.Repeat, everyVIP)
	case node.ReadPorts:
		s.read.put(struct{}{})
	case node.Transition:
		s.transition(a)
	case node.GroupTransition:
		s.groupTransition(a)
	case node.Fence:
		s.fence(a)
	case node.Note:
		s.note(a)
	}
}

func (s *service) sendAdvert(a node.SendAdvert) {
	key := socketKey{port: a.Port, kind: wireSocket, family: a.Key.Family, group: a.Dst}
	conn := s.sockets[key].wire
	if conn == nil {
		s.counters.sendErrors.Add(1)
		if p := s.book.find(a.Port); p.Present && p.AdminUp {
			s.spoke(a.Key, errNoSocket)
		}
		return
	}
	err := conn.Send(a.Src, a.Dst, a.Payload)
	if err == nil {
		s.sent[a.Port]++
		s.late.add(s.edges.now() - time.Duration(a.Due))
	}
	s.spoke(a.Key, err)
	s.heardOf(key, err)
}

// heardOf logs when a socket begins to fail to send, and when it sends again.
func (s *service) heardOf(key socketKey, err error) {
	known := s.silent[key]
	switch {
	case err == nil && known == "":
	case err == nil:
		delete(s.silent, key)
		s.log.Info(fmt.Sprintf("adverts leave %s again", key.port))
	default:
		s.counters.sendErrors.Add(1)
		if known != err.Error() {
			s.silent[key] = err.Error()
			s.log.Warn(fmt.Sprintf("adverts do not leave %s: %v", key.port, err))
		}
	}
}

func (s *service) ask(a node.Ask) {
	conn := s.sockets[socketKey{port: a.Port, kind: probeSocket}].probe
	if conn == nil {
		s.counters.askErrors.Add(1)
		return
	}
	q := probe.Question{Target: a.Target, Sender: a.Sender, To: a.To}
	if a.Target.Is6() && (!a.Sender.IsValid() || a.Sender.IsUnspecified()) {
		q.Sender = s.linkLocal(a.Port)
	}
	if err := conn.Ask(q); err != nil {
		s.counters.askErrors.Add(1)
		return
	}
	s.sent[a.Port]++
}

// linkLocal is the address from which ND questions are asked; without one none
// is asked.
func (s *service) linkLocal(name node.Port) netip.Addr {
	for _, p := range s.book.find(name).Addresses {
		if p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() {
			return p.Addr()
		}
	}
	return netip.Addr{}
}

func everyVIP(vipLine) bool { return true }
func noVIP(vipLine) bool    { return false }

// tenure is what the brain said of an instance that holds its addresses.
type tenure struct {
	lease   time.Duration
	without []node.Port
}

// wishFor is everything of the instance that can be in the kernel now.
func (s *service) wishFor(key node.Key) wish {
	t, held := s.plan.tables[key], s.held[key]
	t.vips = slices.DeleteFunc(slices.Clone(t.vips), func(v vipLine) bool { return slices.Contains(held.without, v.port) })
	t.routes = slices.DeleteFunc(slices.Clone(t.routes), func(r routeLine) bool { return slices.Contains(held.without, r.port) })
	return wish{key: key, present: true, vips: s.book.vips(t), routes: s.book.usableRoutes(t), lease: held.lease}
}

// request is the newest mutation of an instance, not answered yet.
type request struct {
	serial  uint64
	install bool // the brain waits for Installed
	recheck bool // something was reported gone meanwhile, by our own hand or not
	failed  bool // once; the actor tries again
}

// busy says whether a mutation of the instance is under way. One that has failed
// is not: it waits for its next try.
func (s *service) busy(key node.Key) bool {
	asked, ok := s.requests[key]
	return ok && !asked.failed
}

// requested makes the newest request of an instance the only one of which the
// answer counts: an answer to an older one may be on its way still.
func (s *service) requested(key node.Key, install bool) uint64 {
	s.serial++
	s.requests[key] = request{serial: s.serial, install: install}
	s.newest[key] = s.serial
	return s.serial
}

func (s *service) install(a node.Install) {
	_, held := s.held[a.Key]
	s.held[a.Key] = tenure{lease: a.Lease, without: a.Without}
	if !held {
		s.followCarriers()
	}
	serial := s.requested(a.Key, true)
	w := s.wishFor(a.Key)
	w.done = func(err error, took time.Duration) answer {
		return answer{key: a.Key, serial: serial, event: node.Installed{Key: a.Key, Serving: serving(err), Err: sentence(err), Took: took}}
	}
	s.mutations.put(w)
}

func (s *service) withdraw(a node.Withdraw) {
	delete(s.held, a.Key)
	s.followCarriers()
	serial := s.requested(a.Key, false)
	// A renewal that is still waiting, or half done, ends here.
	s.leases.put(wish{key: a.Key})
	s.mutations.put(wish{key: a.Key, done: func(err error, took time.Duration) answer {
		return answer{key: a.Key, serial: serial, event: node.Withdrawn{Key: a.Key, Err: sentence(err), Took: took}}
	}})
}

func (s *service) renew(a node.Renew) {
	held, ok := s.held[a.Key]
	if !ok {
		return
	}
	held.lease = a.Lease
	s.held[a.Key] = held
	w := s.wishFor(a.Key)
	w.done = func(err error, took time.Duration) answer {
		return answer{key: a.Key, event: node.Renewed{Key: a.Key, Err: sentence(err), Took: took}}
	}
	s.leases.put(w)
}

// amend has the kernel follow a change that the brain did not ask for, and
// announces the VIPs that pass once they are there. An installation that is
// under way is asked for again, since its answer is still awaited.
func (s *service) amend(key node.Key, delta bool, passes func(vipLine) bool) {
	if s.requests[key].install {
		s.install(node.Install{Key: key, Lease: s.held[key].lease, Without: s.held[key].without})
		return
	}
	serial := s.requested(key, false)
	w := s.wishFor(key)
	w.delta = delta
	w.done = func(error, time.Duration) answer { return answer{key: key, serial: serial, announce: passes} }
	s.mutations.put(w)
}

// restore has the kernel hold again all that instances which serve have on the
// interface, and announces the VIPs that pass.
func (s *service) restore(name node.Port, passes func(vipLine) bool) {
	for key := range s.held {
		t := s.plan.tables[key]
		if slices.ContainsFunc(t.vips, func(v vipLine) bool { return v.port == name }) ||
			slices.ContainsFunc(t.routes, func(r routeLine) bool { return r.port == name }) {
			s.amend(key, false, passes)
		}
	}
}

// announce hands the frames for the VIPs that pass to the announcer, a round of
// all VIPs at a time as keepalived does.
func (s *service) announce(key node.Key, repeat int, passes func(vipLine) bool) {
	var round []announcement
	for _, v := range s.plan.tables[key].vips {
		conn := s.sockets[socketKey{port: v.port, kind: announceSocket}].announce
		if conn == nil || !passes(v) || slices.Contains(s.held[key].without, v.port) {
			continue
		}
		round = append(round, announcement{
			conn: conn, addr: v.vip.Prefix.Addr(),
			mac: s.book.find(v.port).MAC, router: s.book.routers[v.port],
		})
	}
	if len(round) == 0 {
		return
	}
	select {
	case s.jobs <- slices.Repeat(round, repeat):
	default:
		s.counters.announcementsDropped.Add(uint64(len(round) * repeat))
	}
}

// transition writes the line that operators look for, keeps the moment, runs
// the notify scripts and tells the supervisor.
func (s *service) transition(a node.Transition) {
	s.history = append(s.history, Moment{Wall: time.Now(), Transition: a})
	if len(s.history) > historyLength {
		s.history = slices.Delete(s.history, 0, len(s.history)-historyLength)
	}
	s.log.Info(transitionLine(a),
		slog.String("finding", a.Verdict.Finding.String()),
		slog.String("rule", a.Verdict.Rule.String()),
		slog.String("reason", a.Reason))
	if a.To != vrrp.Master {
		delete(s.mutes, a.Key)
		s.tellMute()
	}
	s.notify("INSTANCE", a.Name, s.plan.tables[a.Key].notify, a.To, strconv.Itoa(int(a.Priority)))
	s.out.supervisor.Status(s.summary())
}

// transitionLine is keepalived's line.
func transitionLine(a node.Transition) string {
	switch {
	case a.To == vrrp.Initialize:
		return fmt.Sprintf("(%s) Stopped", a.Name)
	case a.Initial:
		return fmt.Sprintf("(%s) Entering %s STATE (init)", a.Name, a.To)
	default:
		return fmt.Sprintf("(%s) Entering %s STATE", a.Name, a.To)
	}
}

func (s *service) groupTransition(a node.GroupTransition) {
	s.log.Info(fmt.Sprintf("VRRP_Group(%s) Syncing instances to %s state", a.Name, a.To))
	s.notify("GROUP", a.Name, s.plan.groups[a.Name], a.To, "0")
}

// notify posts the notify scripts: the one for the state first, then the one
// for all states, which learns from four arguments what happened.
func (s *service) notify(kind, name string, n configfs.Notify, to vrrp.State, priority string) {
	word, own := to.String(), configfs.Script{}
	switch to {
	case vrrp.Master:
		own = n.Master
	case vrrp.Backup:
		own = n.Backup
	case vrrp.Fault:
		own = n.Fault
	case vrrp.Initialize:
		word, own = "STOP", n.Stop
	}
	queue := name
	if kind != "INSTANCE" {
		queue = kind + " " + name // an instance may have the same name
	}
	if len(own.Argv) > 0 {
		s.out.scripts.Post(queue, own.Argv)
	}
	if len(n.Any.Argv) > 0 {
		s.out.scripts.Post(queue, slices.Concat(n.Any.Argv, []string{kind, name, word, priority}))
	}
}

func (s *service) note(a node.Note) {
	text := a.Text
	if t, ok := s.plan.tables[a.Key]; ok {
		text = fmt.Sprintf("(%s) %s", t.name, text)
	}
	switch a.Level {
	case node.Info:
		s.log.Info(text)
	case node.Warning:
		s.log.Warn(text)
	case node.Alarm:
		s.log.Error(text)
	}
}

// summary is the line that systemctl shows.
func (s *service) summary() string {
	var parts []string
	for _, i := range s.brain.Status().Instances {
		parts = append(parts, i.Name+" "+i.State.String())
	}
	if missing := s.absent(); len(missing) > 0 {
		parts = append(parts, "waiting for "+strings.Join(missing, ", "))
	}
	return strings.Join(parts, "; ")
}
