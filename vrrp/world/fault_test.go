package world

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"standfast/vrrp"
	"standfast/vrrp/node"
)

// serves says that a router has every virtual address.
func (l *lab) serves(router int) bool {
	for v := range l.vips {
		if !l.routers[router].kernel.has(v) {
			return false
		}
	}
	return true
}

// holds says that a router has any virtual address.
func (l *lab) holds(router int) bool {
	for v := range l.vips {
		if l.routers[router].kernel.has(v) {
			return true
		}
	}
	return false
}

func TestPowerOff(t *testing.T) {
	l := newLab(t, "")
	a, far := l.routers[routerA], l.nic(routerB, heartbeat)
	l.pull("A loses power for 5s")
	l.want(!l.holds(routerA), "a kernel without addresses")
	l.want(a.brain == nil && a.dead() && !a.answers(a.nics[lan10], l.vips[0].prefix.Addr()), "nothing that runs")
	l.want(!a.nics[lan10].carrier || !a.nics[lan10].target, "no light of its ports")
	l.between("the far carrier", l.until(time.Second, "the far carrier drops", func() bool { return !far.carrier }), far.phy, far.phy+2*time.Millisecond)
	l.want(l.nic(routerB, lan10).carrier, "a carrier where B is on a switch")
	l.until(time.Second, "B serves", func() bool { return l.serves(routerB) })
	l.pass(5 * time.Second)
	l.between("booting", l.until(12*time.Second, "A comes up", func() bool { return a.brain != nil }), 0, 12*time.Second)
	l.until(3*time.Second, "the cable has a carrier again", func() bool { return far.carrier })
}

func TestDyingPorts(t *testing.T) {
	l := newLab(t, "fibre")
	a := l.routers[routerA]
	l.pull("A dies port by port within 4s and stays off until 9s have passed")
	dark := func() (n int) {
		for _, p := range a.nics {
			if !p.carrier {
				n++
			}
		}
		return n
	}
	var steps []int
	for range 400 {
		l.pass(10 * time.Millisecond)
		if n := dark(); len(steps) == 0 || steps[len(steps)-1] != n {
			steps = append(steps, n)
		}
	}
	l.want(len(steps) > 2 && slices.IsSorted(steps), "ports that go one by one, not %v", steps)
	l.until(20*time.Millisecond, "the power goes", func() bool { return a.off == 1 && dark() == numSegments })
	l.pass(5 * time.Second)
	l.want(a.off == 0, "power again")
	for _, p := range a.nics {
		l.want(p.unplugged == 0, "%s plugged in again", portNames[p.segment.number])
	}
}

// TestHang wants the links to stay up and nothing to answer, and a reset at the end.
func TestHang(t *testing.T) {
	for _, line := range []string{"A hangs with its links up and is reset after 6s", "A panics and is reset after 6s"} {
		l := newLab(t, "")
		a := l.routers[routerA]
		l.pull(line)
		ran := a.seen.ran
		l.pass(3 * time.Second)
		l.want(a.nics[lan10].carrier && l.nic(routerB, heartbeat).carrier, "links that are up")
		l.want(a.seen.ran == ran && l.holds(routerA), "a process that is frozen, and addresses that stay where they are")
		l.want(len(l.ask(routerB, l.question(lan10), 5*time.Millisecond)) == 0, "no answer")
		l.pass(3 * time.Second)
		l.want(a.brain == nil && !l.holds(routerA), "a machine that was reset")
		l.until(12*time.Second, "it comes back", func() bool { return a.brain != nil })
	}
}

// question asks everybody for the virtual address of a segment, as a host without an address does.
func (l *lab) question(segment int) node.Ask {
	a, _ := l.someVIP(Fault{Segment: segment})
	return node.Ask{Port: portNames[segment], Target: a, Sender: netip.IPv4Unspecified()}
}

// TestStopped wants frames to wait, the kernel to go on, and leases to run out.
func TestStopped(t *testing.T) {
	l := newLab(t, "")
	a, ear := l.routers[routerA], l.listen(routerA)
	l.pull("A's process is stopped for 8s")
	begin := l.now
	l.pass(500 * time.Millisecond)
	l.want(len(l.ask(routerB, l.question(lan10), 5*time.Millisecond)) == 1, "a kernel that answers for a process that is stopped")
	l.until(l.scene.longestLease(), "the leases expire", func() bool { return !l.holds(routerA) })
	l.until(8*time.Second, "B serves and its adverts wait", func() bool { return len(a.queued) > 0 })
	l.want(len(told[node.Frame](ear, begin)) == 0 && a.seen.ran <= begin, "a brain that is told nothing")
	l.pass(begin.Add(8*time.Second).Sub(l.now) + time.Millisecond)
	l.want(len(told[node.Frame](ear, begin)) > 0 && len(a.queued) == 0, "adverts that are read at last")
}

// TestSuspended wants nothing to run, and leases that stand still meanwhile.
func TestSuspended(t *testing.T) {
	l := newLab(t, "")
	a := l.routers[routerA]
	l.pull("A is suspended for 30s")
	l.pass(20 * time.Second)
	l.want(a.dead() && l.holds(routerA) && !a.runs(), "a machine that stands still with its addresses")
	l.until(11*time.Second, "A runs again", func() bool { return a.runs() })
	l.until(l.scene.boundBoth(), "one of both serves", func() bool { return l.serves(routerA) != l.serves(routerB) && l.holds(routerA) != l.holds(routerB) })
}

// TestKilled wants addresses that outlive their process by their lease, and a new process.
func TestKilled(t *testing.T) {
	l := newLab(t, "")
	a := l.routers[routerA]
	l.pull("A's process is killed and starts again after 20s")
	l.want(a.brain == nil && l.serves(routerA), "no process, and addresses that it left behind")
	l.pass(1500 * time.Millisecond)
	l.want(l.holds(routerA), "leases that run on")
	l.until(l.scene.longestLease(), "the leases expire", func() bool { return !l.holds(routerA) })
	l.pass(20 * time.Second)
	l.want(a.brain != nil, "a new process")
}

// TestRestarted wants a goodbye, so that B serves after its skew.
func TestRestarted(t *testing.T) {
	l := newLab(t, "")
	ear := l.listen(routerB)
	begin := l.now
	l.pull("A's process is told to stop and starts again after 10s")
	l.pass(5 * time.Millisecond)
	frames := told[node.Frame](ear, begin)
	l.want(len(frames) == 1 && frames[0].Payload[2] == 0, "an advert of priority 0")
	l.until(time.Second, "B serves alone", func() bool { return l.serves(routerB) && !l.holds(routerA) })
	l.pass(20 * time.Millisecond)
	l.want(l.routers[routerA].brain == nil, "a process that is gone")
	l.pass(10 * time.Second)
	l.want(l.routers[routerA].brain != nil, "a new process")
}

// TestBusy wants a brain that is woken late, again and again, and not after the end.
func TestBusy(t *testing.T) {
	l := newLab(t, "")
	l.pull("A's process runs up to 60ms late again and again for 20s")
	a := l.routers[routerA]
	for range 5 {
		l.until(2*time.Second, "A is held up", func() bool { return a.paused > 0 })
		l.until(60*time.Millisecond, "A runs again", func() bool { return a.paused == 0 })
	}
	l.pass(20 * time.Second)
	for range 2000 {
		l.pass(time.Millisecond)
		l.want(a.paused == 0, "a process in time after the end")
	}
}

// TestCableCut wants the carriers of both ends to go as their PHYs have it, and to come back.
func TestCableCut(t *testing.T) {
	l := newLab(t, "")
	p, q := l.nic(routerA, heartbeat), l.nic(routerB, heartbeat)
	l.want(p.phy != q.phy, "a clock master and a slave at the two ends")
	l.pull("the cable of p4p1 is cut for 5s")
	l.want(p.carrier && q.carrier && !l.segments[heartbeat].carries(l.routers[0], l.routers[1]), "carriers that stay up for a while, and frames that are lost at once")
	l.pass(phyTimes[0] - time.Millisecond)
	l.want(p.carrier && q.carrier, "both carriers until the PHY is through")
	l.pass(2 * time.Millisecond)
	l.want(p.carrier != q.carrier, "the quicker one to be gone")
	l.pass(phyTimes[1] - phyTimes[0])
	l.want(!p.carrier && !q.carrier, "both gone")
	l.pass(5 * time.Second)
	l.want(l.segments[heartbeat].cut == 0, "a cable that is whole")
	l.until(3*time.Second, "both are back", func() bool { return p.carrier && q.carrier })
}

func TestCableFlap(t *testing.T) {
	l := newLab(t, "fibre")
	p := l.nic(routerA, heartbeat)
	l.pull("the cable of p4p1 flaps 6 times within 12s")
	downs, was := 0, true
	for range 12000 {
		l.pass(time.Millisecond)
		if was && !p.carrier {
			downs++
		}
		was = p.carrier
	}
	l.want(downs > 1, "several losses of carrier, not %d", downs)
	l.pass(time.Second)
	l.want(p.carrier && l.segments[heartbeat].cut == 0, "a cable that is whole")
}

// TestOneWay wants frames to pass in one direction only.
func TestOneWay(t *testing.T) {
	l := newLab(t, "owned")
	a, b := l.routers[routerA], l.routers[routerB]
	own := hostAddress(lan10, byte(routerB+10), false).Addr()
	question := node.Ask{Port: portNames[lan10], Target: own, Sender: hostAddress(lan10, byte(routerA+10), false).Addr()}
	l.want(len(l.ask(routerA, question, 5*time.Millisecond)) == 1, "an answer before")
	l.pull("frames from B to A are lost on lan10 for 3s")
	l.want(l.segments[lan10].carries(a, b) && !l.segments[lan10].carries(b, a) && l.segments[lan20].between(a, b), "frames one way, there and nowhere else")
	ear := l.listen(routerB)
	begin := l.now
	l.want(len(l.ask(routerA, question, 5*time.Millisecond)) == 0, "no answer")
	heard := told[node.Heard](ear, begin)
	l.want(slices.ContainsFunc(heard, func(h node.Heard) bool { return h.Op == node.Request && h.Target == own }), "a question that arrives")
	l.pass(3 * time.Second)
	l.want(len(l.ask(routerA, question, 5*time.Millisecond)) == 1, "an answer after")
}

func TestOneWayHeartbeat(t *testing.T) {
	for _, scene := range []string{"", "shape=on-lan switched"} {
		l := newLab(t, scene)
		ear := l.listen(routerB)
		l.pull("frames from A to B are lost on the heartbeat for 1500ms")
		begin := l.now
		l.pass(1400 * time.Millisecond)
		l.want(len(told[node.Frame](ear, begin.Add(time.Millisecond))) == 0, "no adverts")
		l.pass(1500 * time.Millisecond)
		l.want(len(told[node.Frame](ear, begin)) > 0, "adverts again")
	}
}

// TestAdminDown wants the near carrier to go at once, and addresses that stay.
func TestAdminDown(t *testing.T) {
	l := newLab(t, "")
	p, ear := l.nic(routerB, lan10), l.listen(routerB)
	l.pull("B p3p1 is set down for 3s")
	begin := l.now
	l.pass(300 * time.Microsecond)
	l.want(!p.carrier && p.state().Present && !p.state().AdminUp && p.state().Carrier == node.CarrierDown, "a port that is down")
	l.want(l.reported(ear, begin, lan10, func(s node.PortState) bool { return s.Present && !s.AdminUp }), "a report of it")
	l.pass(3*time.Second + time.Millisecond)
	l.want(p.state().AdminUp, "a port that is set up")
	l.until(3*time.Second, "its carrier is back", func() bool { return p.carrier })
}

// reported says that a brain was told of a port in some state.
func (l *lab) reported(e *ear, since vrrp.Instant, segment int, so func(node.PortState) bool) bool {
	for _, read := range told[node.PortsRead](e, since) {
		for _, p := range read.Ports {
			if p.Port == portNames[segment] && so(p) {
				return true
			}
		}
	}
	return false
}

func TestNICGone(t *testing.T) {
	l := newLab(t, "")
	ear := l.listen(routerA)
	begin := l.now
	l.pull("A p3p1 vanishes for 3s")
	l.want(!l.routers[routerA].kernel.has(0) && l.routers[routerA].kernel.has(1), "an address that is gone with its port, and others that stay")
	l.pass(300 * time.Microsecond)
	l.want(l.reported(ear, begin, lan10, func(s node.PortState) bool { return !s.Present }), "a report of a port that is not there")
	l.pass(3 * time.Second)
	l.want(l.nic(routerA, lan10).state().Present, "a port that is back")
}

func TestUnplugged(t *testing.T) {
	l := newLab(t, "")
	p := l.nic(routerB, lan20)
	l.pull("B p3p2 is unplugged for 3s")
	l.between("the carrier", l.until(time.Second, "the carrier drops", func() bool { return !p.carrier }), p.phy, p.phy+2*time.Millisecond)
	l.want(p.state().Present && p.state().AdminUp && l.nic(routerA, lan20).carrier && l.nic(routerB, lan10).carrier, "nothing else touched")
	l.pass(3*time.Second - p.phy)
	l.between("autonegotiation", l.until(4*time.Second, "the carrier is back", func() bool { return p.carrier }), 900*time.Millisecond, 3100*time.Millisecond)
}

// TestUnpluggedBriefly wants a PHY to hide what is shorter than its patience.
func TestUnpluggedBriefly(t *testing.T) {
	l := newLab(t, "")
	l.pull("B p3p2 is unplugged for 340ms")
	for range 1000 {
		l.pass(time.Millisecond)
		l.want(l.nic(routerB, lan20).carrier, "a carrier all the while")
	}
}

// TestEventLoss wants no report of the port, and a reading of all later.
func TestEventLoss(t *testing.T) {
	l := newLab(t, "fibre")
	ear := l.listen(routerB)
	l.pull("B misses what the kernel tells of links for 10s")
	l.pass(time.Second)
	begin := l.now
	l.pull("B p3p1 is unplugged for 8s")
	l.until(3*time.Second, "B is told", func() bool {
		return l.reported(ear, begin, lan10, func(s node.PortState) bool { return s.Carrier == node.CarrierDown })
	})
	for _, read := range told[node.PortsRead](ear, begin) {
		l.want(len(read.Ports) == numSegments, "only readings of all ports, not one of %d", len(read.Ports))
	}
}

// TestLinkNewsAreHeldBack wants the kernel to report a second change a second later, and the counter of the heartbeat port to be quicker.
func TestLinkNewsAreHeldBack(t *testing.T) {
	l := newLab(t, "fibre")
	l.pass(2 * time.Second)
	ear := l.mute(routerB)
	l.pull("B p3p1 is unplugged for 20s")
	l.pull("the cable of p4p1 is cut for 20s")
	begin := l.now
	l.pass(3 * time.Second)
	at := func(of func(node.Event) bool) time.Duration {
		k := slices.IndexFunc(ear.heard, func(h hearing) bool { return of(h.event) })
		if k < 0 {
			t.Fatal("B was never told")
		}
		return ear.heard[k].at.Sub(begin)
	}
	reports := func(segment int) func(node.Event) bool {
		return func(e node.Event) bool {
			read, ok := e.(node.PortsRead)
			return ok && len(read.Ports) == 1 && read.Ports[0].Port == portNames[segment]
		}
	}
	quick, slow := at(reports(heartbeat)), at(reports(lan10))
	if quick > slow {
		quick, slow = slow, quick
	}
	l.between("the first report", quick, 0, 2*time.Millisecond)
	l.between("the second report", slow, 999*time.Millisecond, 1002*time.Millisecond)
	l.between("the counter", at(func(e node.Event) bool { _, ok := e.(node.CarrierLost); return ok }), 0, 11*time.Millisecond)
}

// TestSwitchReboot wants all ports of the switch dark, and mute for a while when they are back.
func TestSwitchReboot(t *testing.T) {
	for _, line := range []string{
		"the switch of lan10 reboots: off for 6s and mute for 12s more",
		"the switch of lan10 is dead for 6s and mute for 12s more",
	} {
		l := newLab(t, "")
		l.pull(line)
		l.pass(5 * time.Second)
		for _, r := range l.routers {
			l.want(!r.nics[lan10].carrier && r.nics[lan20].carrier, "%s dark on lan10 only", r.name)
		}
		l.until(5*time.Second, "the carriers are back", func() bool { return l.nic(routerA, lan10).carrier && l.nic(routerB, lan10).carrier })
		l.want(!l.nic(routerA, lan10).passes() && !l.segments[lan10].between(l.routers[0], l.routers[1]), "ports that don't forward yet")
		l.pass(12 * time.Second)
		l.want(l.nic(routerA, lan10).passes() && l.segments[lan10].between(l.routers[0], l.routers[1]), "ports that forward")
	}
}

func TestLANSplit(t *testing.T) {
	for line, gateway := range map[string]int{
		"lan10 is split: A apart for 1s":         routerB,
		"lan10 is split: A+gateway apart for 1s": routerA,
	} {
		l := newLab(t, "")
		s := l.segments[lan10]
		l.pull(line)
		l.want(!s.between(l.routers[0], l.routers[1]) && l.nic(routerA, lan10).carrier, "carriers, and nothing between the routers")
		for k, r := range l.routers {
			l.want(s.reaches(r, s.stations[0]) == (k == gateway), "%s: %v reaches only %s", line, "the gateway", routerNames[gateway])
		}
		l.pass(time.Second)
		l.want(s.between(l.routers[0], l.routers[1]) && s.reaches(l.routers[0], s.stations[0]) && s.reaches(l.routers[1], s.stations[0]), "a segment that is whole")
	}
}

func TestIsolation(t *testing.T) {
	l := newLab(t, "")
	s := l.segments[lan10]
	l.pull("lan10 carries nothing between routers for 1s")
	l.want(!s.between(l.routers[0], l.routers[1]) && s.reaches(l.routers[0], s.stations[0]) && s.reaches(l.routers[1], s.stations[0]), "the gateway, and nothing between the routers")
	l.want(len(l.ask(routerB, l.question(lan10), 5*time.Millisecond)) == 0, "no answer")
	l.pass(time.Second)
	l.want(len(l.ask(routerB, l.question(lan10), 5*time.Millisecond)) == 1, "an answer")
}

func TestSpanningTree(t *testing.T) {
	l := newLab(t, "")
	s := l.segments[lan10]
	l.pull("the switch does not forward for B p3p1 for 2s")
	l.pass(time.Second)
	l.want(l.nic(routerB, lan10).carrier && !s.reaches(l.routers[routerB], s.stations[0]) && s.reaches(l.routers[routerA], s.stations[0]), "a carrier, and silence for B alone")
	l.pass(1001 * time.Millisecond)
	l.want(s.reaches(l.routers[routerB], s.stations[0]), "a port that forwards")
}

// witness asks a gateway.
func (l *lab) witness(segment int) node.Ask {
	q := l.question(segment)
	q.Target = hostAddress(segment, gatewayHost, false).Addr()
	return q
}

func TestWitness(t *testing.T) {
	l := newLab(t, "")
	gateway := []node.MAC{l.segments[lan10].stations[0].mac}
	l.want(slices.Equal(l.ask(routerB, l.witness(lan10), time.Millisecond), gateway), "an answer in time")
	l.pull("the gateway of lan10 answers nobody for 1s")
	l.want(len(l.ask(routerB, l.witness(lan10), 5*time.Millisecond)) == 0, "no answer of one that is dead")
	l.pass(time.Second)
	l.pull("the gateway of lan10 answers 30ms late for 1s")
	l.want(len(l.ask(routerB, l.witness(lan10), 29*time.Millisecond)) == 0, "no answer yet of one that is slow")
	l.pass(5 * time.Millisecond)
	l.want(slices.Equal(l.ask(routerB, l.witness(lan10), 31*time.Millisecond), gateway), "its answer later")
	l.pass(time.Second)
	l.want(slices.Equal(l.ask(routerB, l.witness(lan10), time.Millisecond), gateway), "an answer in time again")
}

// TestClaims wants a lying gateway, a stranger and a proxy to answer for the virtual address beside its owner.
func TestClaims(t *testing.T) {
	for _, c := range []struct{ line, where string }{
		{"the gateway of lan10 claims a virtual address for 1s", "gateway"},
		{"a stranger on lan10 has a virtual address for 1s", "stranger"},
		{"the gateway of lan10 answers for every address for 1s", "proxy"},
	} {
		l := newLab(t, "")
		owner := l.nic(routerA, lan10).mac
		ear := l.listen(routerB)
		begin := l.now
		l.pull(c.line)
		gratuitous := slices.ContainsFunc(told[node.Heard](ear, begin), func(h node.Heard) bool { return h.Op == node.Gratuitous && h.MAC != owner })
		l.want(gratuitous == (c.where == "stranger"), "a gratuitous message of a stranger alone")
		macs := l.ask(routerB, l.question(lan10), 5*time.Millisecond)
		l.want(len(macs) == 2 && macs[0] == owner && macs[1][1] != 0, "%s: answers of the owner and another, not %v", c.where, macs)
		l.want(len(l.ask(routerB, l.question(lan20), 5*time.Millisecond)) == 1, "one answer elsewhere")
		l.pass(time.Second)
		macs = l.ask(routerB, l.question(lan10), 5*time.Millisecond)
		l.want(slices.Equal(macs, []node.MAC{owner}) && l.segments[lan10].claimed == 0, "%s: only the owner after the end, not %v", c.where, macs)
	}
}

// TestFabricCache wants broadcasts to be answered for the dead, and unicasts not.
func TestFabricCache(t *testing.T) {
	l := newLab(t, "")
	owner := l.nic(routerA, lan10).mac
	l.pull("the switch of lan10 answers broadcasts from its cache for 60s")
	l.pull("A loses power for 30s")
	everybody, one := l.question(lan10), l.question(lan10)
	one.To = owner
	l.want(slices.Equal(l.ask(routerB, everybody, 5*time.Millisecond), []node.MAC{owner}), "an answer for the dead")
	l.want(len(l.ask(routerB, one, 5*time.Millisecond)) == 0, "no answer to a unicast")
	l.until(5*time.Second, "B serves", func() bool { return l.serves(routerB) })
	l.pass(10 * time.Millisecond)
	l.want(l.segments[lan10].cache[everybody.Target] == l.nic(routerB, lan10).mac, "a cache that learns from announcements")
	l.pass(60 * time.Second)
	l.want(len(l.segments[lan10].cache) == 0, "a cache that is empty")
}

func TestFabricInspection(t *testing.T) {
	l := newLab(t, "owned")
	l.pull("the switch of lan10 swallows questions from 0.0.0.0 for 1s")
	from := l.question(lan10)
	from.Sender = hostAddress(lan10, byte(routerB+10), false).Addr()
	l.want(len(l.ask(routerB, l.question(lan10), 5*time.Millisecond)) == 0, "no answer for one without an address")
	l.want(len(l.ask(routerB, from, 5*time.Millisecond)) == 1, "an answer for one that has an address")
	l.pass(time.Second)
	l.want(len(l.ask(routerB, l.question(lan10), 5*time.Millisecond)) == 1, "an answer after the end")
}

// TestWeather wants frames lost, doubled, late and corrupted as often as is said.
func TestWeather(t *testing.T) {
	fly := func(l *lab) (arrived []time.Duration, lost int) {
		begin := l.now
		for range 1000 {
			l.fly(0, func() { lost++ }, func() { arrived = append(arrived, l.now.Sub(begin)) })
		}
		l.pass(100 * time.Millisecond)
		return arrived, lost
	}
	quick := func(d time.Duration) bool { return d <= flight+60*time.Microsecond }
	l := newLab(t, "")
	for range 2 { // before, and after all of it is over
		arrived, lost := fly(l)
		l.want(len(arrived) == 1000 && lost == 0 && !slices.ContainsFunc(arrived, func(d time.Duration) bool { return !quick(d) }), "good weather")
		l.pull("20% of all frames are lost for 200ms")
		arrived, lost = fly(l)
		l.want(lost > 150 && lost < 250 && len(arrived) == 1000-lost, "a fifth lost, not %d", lost)
		l.pass(200 * time.Millisecond)
		l.pull("20% of all frames come twice for 200ms")
		arrived, _ = fly(l)
		l.want(len(arrived) > 1150 && len(arrived) < 1250, "a fifth doubled, not %d", len(arrived)-1000)
		l.pass(200 * time.Millisecond)
		l.pull("an eighth of all frames are up to 40ms late for 200ms")
		arrived, _ = fly(l)
		late := slices.DeleteFunc(slices.Clone(arrived), quick)
		l.want(len(late) > 90 && len(late) < 160 && slices.Max(late) > 30*time.Millisecond && slices.Max(late) < 41*time.Millisecond, "an eighth late, not %d", len(late))
		l.pass(200 * time.Millisecond)
	}
}

func TestFrameCorrupt(t *testing.T) {
	l := newLab(t, "advert_int=100ms")
	l.pull("20% of all adverts are corrupted for 10s")
	ear := l.listen(routerB)
	l.pass(10 * time.Second)
	bad := 0
	for _, f := range told[node.Frame](ear, 0) {
		if _, check, _ := vrrp.Receive(vrrp.Packet{Src: f.Src, Dst: f.Dst, TTL: f.TTL, Payload: f.Payload}, l.routers[routerB].config.Instances[0].VRRP); check != vrrp.Accepted {
			bad++
		}
	}
	l.want(bad > 5 && bad < 40, "some adverts of a hundred broken, not %d", bad)
	begin := l.now
	l.pass(5 * time.Second)
	for _, f := range told[node.Frame](ear, begin) {
		_, check, _ := vrrp.Receive(vrrp.Packet{Src: f.Src, Dst: f.Dst, TTL: f.TTL, Payload: f.Payload}, l.routers[routerB].config.Instances[0].VRRP)
		l.want(check == vrrp.Accepted, "whole adverts after the end, not one with %s", check)
	}
}

func TestHostileAdverts(t *testing.T) {
	l := newLab(t, "")
	ear := l.mute(routerB)
	l.pull("somebody forges 40 adverts to B within 2s")
	l.pass(2 * time.Second)
	forged := func(f node.Frame) bool { return f.MAC == node.MAC{2, 0xbb, 0, 0, 0, 1} }
	frames := slices.DeleteFunc(told[node.Frame](ear, 0), func(f node.Frame) bool { return !forged(f) })
	l.want(len(frames) == 40, "40 forged adverts, not %d", len(frames))
	l.want(slices.ContainsFunc(frames, func(f node.Frame) bool { return f.TTL != 255 }) && slices.ContainsFunc(frames, func(f node.Frame) bool { return f.Payload[2] == 255 }), "some of a wrong TTL, some of the highest priority")
	l.want(l.judge.hostile == 0, "nobody hostile after the end")
}

// TestStorageFails wants a process that ends not to come back until the storage does.
func TestStorageFails(t *testing.T) {
	l := newLab(t, "")
	a := l.routers[routerA]
	l.pull("A's storage fails for 20s")
	l.pass(time.Second)
	l.want(a.runs() && l.serves(routerA), "a process that goes on without storage")
	l.pull("A's process is killed and starts again after 2s")
	l.pass(10 * time.Second)
	l.want(a.brain == nil, "no new process")
	l.pass(10 * time.Second)
	l.until(12*time.Second, "a new process", func() bool { return a.brain != nil })
}

// TestStorageIsTold wants a process to learn of its storage in the time that probes take, a process that sleeps when it wakes up,
// and a MASTER to resign because of that.
func TestStorageIsTold(t *testing.T) {
	l := newLab(t, "")
	a := l.routers[routerA]
	ear := l.listen(routerA)
	states := func() (list []node.Storage) {
		for _, e := range told[node.StorageRead](ear, 0) {
			list = append(list, e.State)
		}
		return list
	}
	l.pass(25 * time.Second) // B's question has to be heard
	l.pull("A's storage is slow for 20s")
	l.pass(failureTime)
	l.want(slices.Equal(states(), []node.Storage{node.StorageSlow}) && l.serves(routerA), "slow, and nothing else: %v", states())
	l.pass(10*time.Second + recoveryTime)
	l.want(slices.Equal(states()[1:], []node.Storage{node.StorageHealthy}), "healthy again: %v", states())
	l.pull("A's storage fails for 60s")
	l.until(failureTime+time.Second, "B serves", func() bool { return l.serves(routerB) })
	l.want(a.seen.resigned[0] != 0, "a resignation")
	l.pass(60*time.Second + recoveryTime)
	l.until(30*time.Second, "A serves", func() bool { return l.serves(routerA) })
	l.want(a.seen.resigned[0] == 0, "a resignation that is forgotten")
	l.pull("A's process is stopped for 20s")
	l.pull("A's storage fails for 60s")
	l.pass(19 * time.Second)
	heard := len(states())
	l.pass(1*time.Second + failureTime)
	l.want(len(states()) == heard+1, "a process that wakes up and is told: %v", states())
}

func TestStorageSlow(t *testing.T) {
	l := newLab(t, "")
	a := l.routers[routerA]
	l.pull("A's storage is slow for 60s")
	l.pull("A loses power for 1s")
	l.pass(time.Second)
	l.between("booting", l.until(36*time.Second, "A comes up", func() bool { return a.brain != nil }), 5*time.Second, 36*time.Second)
}

func TestReloaded(t *testing.T) {
	l := newLab(t, "")
	ear := l.listen(routerA)
	l.pull("A reloads its configuration")
	reloads := told[node.Reload](ear, 0)
	l.want(len(reloads) == 1 && len(reloads[0].Config.Instances) == 1, "one reload, with what is configured")
	l.want(len(l.active) == 0, "nothing that lasts")
}

// TestRTNLHeld wants changes and expiries to wait for the lock.
func TestRTNLHeld(t *testing.T) {
	l := newLab(t, "")
	a := l.routers[routerA]
	ear := l.listen(routerA)
	begin := l.now
	l.pull("A's RTNL lock is held for 8s")
	l.pass(5500 * time.Millisecond)
	l.want(len(told[node.Renewed](ear, begin.Add(2*time.Millisecond))) == 0 && l.holds(routerA), "leases that are neither renewed nor run out")
	l.want(!a.kernel.sound() && len(a.kernel.behind) > 0, "somebody who waits")
	l.pass(2501 * time.Millisecond)
	l.want(a.kernel.sound() && len(a.kernel.behind) == 0 && len(told[node.Renewed](ear, begin)) > 0, "a lock that is free")
}

func TestKernelSlow(t *testing.T) {
	l := newLab(t, "")
	ear := l.listen(routerB)
	l.pull("B's kernel takes 800ms for each change for 10s")
	l.pull("A loses power for 10s")
	begin := l.now
	l.until(5*time.Second, "B is installed", func() bool { return len(told[node.Installed](ear, begin)) > 0 })
	l.between("the change", told[node.Installed](ear, begin)[0].Took, 800*time.Millisecond, 1600*time.Millisecond)
	l.pass(10 * time.Second)
	l.want(l.routers[routerB].kernel.sound(), "a kernel that is quick again")
}

func TestKernelRefuses(t *testing.T) {
	l := newLab(t, "")
	ear := l.listen(routerB)
	l.pull("B's kernel refuses addresses for 10s")
	l.pull("A loses power for 10s")
	begin := l.now
	l.until(5*time.Second, "B is told", func() bool { return len(told[node.Installed](ear, begin)) > 0 })
	l.want(told[node.Installed](ear, begin)[0].Err != "" && !l.holds(routerB), "a refusal")
	l.pass(11 * time.Second)
	l.want(l.routers[routerB].kernel.sound(), "a kernel that accepts")
}

func TestAddressesDeleted(t *testing.T) {
	l := newLab(t, "shape=neighbours")
	ear := l.listen(routerA)
	begin := l.now
	l.pull("somebody deletes A's virtual addresses")
	deleted := told[node.Deleted](ear, begin)
	l.want(len(deleted) == 1 && deleted[0].Key.VRID == 51 && !l.routers[routerA].kernel.has(0), "VI_1 told of what is gone, and VI_2 that has nothing of nothing")
	l.until(time.Second, "A puts them back", func() bool { return l.routers[routerA].kernel.has(0) })
}

// TestFaultsOverlap pulls one string twice: it is let go of when both ends have come.
func TestFaultsOverlap(t *testing.T) {
	l := newLab(t, "fibre")
	l.pull("B p3p1 is unplugged for 2s")
	l.pass(time.Second)
	l.pull("B p3p1 is unplugged for 3s")
	l.pass(2 * time.Second)
	l.want(!l.nic(routerB, lan10).carrier, "a port that is still unplugged once")
	l.pass(1100 * time.Millisecond)
	l.want(l.nic(routerB, lan10).carrier, "a port that is plugged in")
}

// TestHeal ends whatever lasts, and its own end does nothing more.
func TestHeal(t *testing.T) {
	l := newLab(t, "")
	for _, line := range []string{
		"A p3p1 is unplugged for 100s", "the cable of p4p1 is cut for 100s", "B's process is stopped for 100s", "A's RTNL lock is held for 100s",
		"5% of all frames are lost for 100s", "the gateway of wan answers nobody for 100s", "lan20 is split: B+gateway apart for 100s",
	} {
		l.pull(line)
	}
	l.pass(100 * time.Millisecond)
	l.heal()
	whole := func() bool {
		for _, r := range l.routers {
			for _, p := range r.nics {
				if p.unplugged != 0 || p.mute != 0 {
					return false
				}
			}
			if r.paused != 0 || r.kernel.held != 0 {
				return false
			}
		}
		s := l.segments[lan20]
		return len(l.active) == 0 && l.segments[heartbeat].cut == 0 && l.weather.loss == 0 && l.segments[wan].stations[0].quiet == 0 && s.island == [maxRouters]int{} && s.stations[0].island == 0
	}
	l.want(whole(), "nothing wrong after the heal")
	l.pass(110 * time.Second)
	l.want(whole(), "nothing wrong when the faults would have ended")
}
