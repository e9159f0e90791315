package node

import (
	"time"

	"standfast/vrrp"
)

const (
	leaseMax = 14 * time.Second
	// stuckMin is how long a change of addresses may take before the router
	// counts as unable to act, whatever the advert interval.
	stuckMin = 2 * time.Second

	// failureRest is how long a kernel that did not take the addresses is left
	// alone before this router stands for election again.
	failureRest = 30 * time.Second
	// failureMemory is how long a kernel that was stuck is remembered. Once it may be
	// chance; one that is slow every time takes the mastership from one that is not.
	failureMemory = time.Minute

	defaultRepeat = 5
)

// kernel is what was asked of the kernel and what it said.
type kernel struct {
	holding   bool  // the VIPs are meant to be there
	installed bool  // and the kernel said they are
	pending   stamp // a change is under way since
	failed    stamp // they could not be put there
	gaveUp    stamp // when that was last found out
	refused   bool  // because the kernel said no, rather than nothing
	again     bool  // and not for the first time within a minute
	why       string
	renewed   stamp // the lease runs since
}

// lease is the lifetime of the VIPs in whole seconds, 0 for ever.
func (i *instance) lease() time.Duration {
	l := i.cfg.Lease
	if l == LeaseAuto {
		l = min(3*i.cfg.VRRP.Interval, leaseMax)
	}
	return (l + time.Second - 1) / time.Second * time.Second
}

// patience is how long the kernel may take for a change.
func (i *instance) patience() time.Duration { return max(i.cfg.VRRP.Interval, stuckMin) }

func (n *Node) install(i *instance) {
	k := &i.kernel
	k.holding, k.installed, k.why = true, false, ""
	k.renewed.set(n.now)
	if !k.pending.ok {
		k.pending.set(n.now)
	}
	n.emit(Install{Key: i.cfg.Key(), Lease: i.lease(), Without: i.outOfService()})
}

// outOfService are the ports that a partial service leaves out.
func (i *instance) outOfService() []Port {
	if !i.partial {
		return nil
	}
	var without []Port
	for _, s := range i.serving {
		if s.port.down() {
			without = append(without, s.port.name)
		}
	}
	return without
}

func (n *Node) withdraw(i *instance) {
	k := &i.kernel
	k.holding, k.installed = false, false
	if !k.pending.ok {
		k.pending.set(n.now)
	}
	n.emit(Withdraw{Key: i.cfg.Key()})
}

func (n *Node) takeInstalled(e Installed) {
	i := n.byKey[e.Key]
	if i == nil || !i.kernel.holding {
		return
	}
	k := &i.kernel
	if e.Err != "" && e.Err != k.why {
		n.note(i, Alarm, "the kernel did not take all addresses and routes: "+e.Err)
	}
	k.why = e.Err
	if !e.Serving {
		return // pending stays: what is not there by then is a fault
	}
	first := !k.installed
	k.installed, k.pending = true, stamp{}
	if !first || i.state() != vrrp.Master {
		return
	}
	n.announce(i, i.cfg.Announce.Repeat)
	if i.cfg.Announce.Delay > 0 {
		i.mastery.announce2 = stamp{at: n.now.Add(i.cfg.Announce.Delay), ok: true}
	}
	n.refreshAfter(i, i.cfg.Announce.Delay+i.cfg.Announce.Refresh)
}

// refreshAfter lets a MASTER announce again after that time and from then on
// periodically, or never where no period is configured.
func (n *Node) refreshAfter(i *instance, d time.Duration) {
	i.mastery.refresh = stamp{}
	if i.cfg.Announce.Refresh > 0 && i.kernel.installed {
		i.mastery.refresh.set(n.now.Add(d))
	}
}

func (n *Node) takeWithdrawn(e Withdrawn) {
	i := n.byKey[e.Key]
	if i == nil || i.kernel.holding {
		return
	}
	if e.Err != "" {
		n.note(i, Alarm, "the kernel did not give back all addresses and routes: "+e.Err)
		return
	}
	i.kernel.pending = stamp{}
	if k := &i.kernel; !k.refused && !k.again {
		k.failed = stamp{} // it was only stuck, and answers again
	}
}

// takeDeleted repairs: what somebody else removed comes back, and the segments
// are told, before anything else is done.
func (n *Node) takeDeleted(e Deleted) {
	i := n.byKey[e.Key]
	if i == nil || !i.kernel.holding {
		return
	}
	n.note(i, Warning, "somebody else removed an address or route of this instance; putting it back")
	n.install(i)
}

// renewIfDue renews the leases with the first advert after a quarter of them.
func (n *Node) renewIfDue(i *instance) {
	k := &i.kernel
	l := i.lease()
	if !k.installed || l == 0 || n.now.Sub(k.renewed.at) < l/4 {
		return
	}
	n.renew(i, l)
}

// renew lengthens a lease. One that has run out, while nobody looked, has taken
// the addresses with it: they are put there again and announced.
func (n *Node) renew(i *instance, l time.Duration) {
	if n.now.Sub(i.kernel.renewed.at) >= l {
		n.install(i)
		return
	}
	i.kernel.renewed.set(n.now)
	n.emit(Renew{Key: i.cfg.Key(), Lease: l})
}

// takeRenewed follows a renewal that was held up: the kernel may expire even a
// freshly renewed address when it was, so a second one follows at once.
func (n *Node) takeRenewed(e Renewed) {
	i := n.byKey[e.Key]
	if i == nil {
		return
	}
	if !i.kernel.installed {
		return
	}
	if e.Err != "" {
		n.note(i, Warning, "a lease was not renewed: "+e.Err)
		n.install(i)
		return
	}
	if l := i.lease(); l > 0 && e.Took > l/2 {
		n.renew(i, l)
	}
}

// settleKernel looks for changes that are stuck, and renews leases that would
// run out between two slow adverts.
func (n *Node) settleKernel(i *instance) {
	k := &i.kernel
	l := i.lease()
	if k.installed && l > 0 && n.now.Sub(k.renewed.at) >= l/2 {
		n.renew(i, l)
	}
	if k.failed.ok && !k.pending.ok && !k.failed.within(n.now, failureRest) {
		k.failed, k.why, n.moved = stamp{}, "", true // worth another try
	}
	if !k.holding || k.installed || !k.pending.ok || n.now.Sub(k.pending.at) < i.patience() {
		return
	}
	k.again = k.gaveUp.within(n.now, failureMemory)
	k.failed.set(n.now)
	k.gaveUp.set(n.now)
	k.refused = k.why != ""
	if k.why == "" {
		k.why = "no answer within " + i.patience().String()
	}
	n.moved = true // a fault now
}

// stuck says that a change of addresses makes no progress: this router neither
// claims nor preempts.
func (n *Node) stuck() bool {
	for _, i := range n.instances {
		if i.kernel.pending.ok && n.now.Sub(i.kernel.pending.at) >= i.patience() {
			return true
		}
	}
	return false
}

// announce tells the segments, unless there is nothing to tell yet.
func (n *Node) announce(i *instance, repeat int) {
	if !i.kernel.installed {
		return
	}
	if repeat <= 0 {
		repeat = defaultRepeat
	}
	n.emit(Announce{Key: i.cfg.Key(), Repeat: repeat})
}
