package node

import (
	"slices"
	"time"

	"standfast/vrrp"
)

// configure builds the instances of a configuration, keeping those that are
// there already: the same interface, VRID and family are the same election.
func (n *Node) configure(c Config) {
	n.storage.policy = c.Storage
	old, grouped := n.byKey, n.groups
	n.instances, n.byKey, n.groups = nil, map[Key]*instance{}, nil
	for _, cfg := range c.Instances {
		i := old[cfg.Key()]
		cfg.VRRP.Patience = patience(cfg)
		if i == nil {
			i = &instance{machine: vrrp.New(cfg.VRRP), born: n.now}
		}
		n.reconfigure(i, cfg)
		n.instances = append(n.instances, i)
		n.byKey[cfg.Key()] = i
	}
	for _, g := range c.Groups {
		n.addGroup(g, grouped)
	}
	n.assignRoles()
}

// patience is how long the machine waits for a ruling: the longest burst, its
// confirmation included, and one round more.
func patience(c Instance) time.Duration {
	rounds := c.Rounds
	if rounds == 0 {
		rounds = defaultRounds
	}
	return time.Duration(rounds+confirmRounds+1) * max(c.Wait, waitMax)
}

func (n *Node) reconfigure(i *instance, cfg Instance) {
	had := i.cfg
	i.cfg, i.group, i.displaces = cfg, nil, false
	i.heart = n.port(cfg.Port)
	i.serving = n.services(cfg, i.serving)
	for _, w := range cfg.Witnesses {
		n.configuredWitness(i, w)
	}
	n.drive(i, vrrp.Reconfigured{Params: n.params(i)})
	same := slices.Equal(had.VIPs, cfg.VIPs) && slices.Equal(had.Routes, cfg.Routes) && had.Lease == cfg.Lease
	if i.kernel.holding && !same {
		n.install(i)
	}
	if had.Announce.Refresh != cfg.Announce.Refresh {
		n.refreshAfter(i, cfg.Announce.Refresh)
	}
}

// services are the ports that carry a VIP or a route, or are tracked. The
// heartbeat port is among them only where a VIP lives on it: named in
// track_interface or by a route alone it stays what it is, a heartbeat.
func (n *Node) services(cfg Instance, had []*service) []*service {
	var list []*service
	of := func(name Port) *service {
		at := slices.IndexFunc(list, func(s *service) bool { return s.port.name == name })
		if at >= 0 {
			return list[at]
		}
		s := &service{port: n.port(name)}
		if k := slices.IndexFunc(had, func(s *service) bool { return s.port.name == name }); k >= 0 {
			s.witnessed = had[k].witnessed
		}
		list = append(list, s)
		return s
	}
	for _, v := range cfg.VIPs {
		of(v.Port).vips++
	}
	for _, name := range slices.Concat(cfg.Routes, cfg.Track) {
		if name != "" && name != cfg.Port {
			of(name)
		}
	}
	return list
}

// configuredWitness puts a witness on its port, or on every serving port in
// whose subnets it lies.
func (n *Node) configuredWitness(i *instance, w Witness) {
	if w.Port != "" {
		n.addWitness(n.port(w.Port), w.Addr, rankConfigured, MAC{})
		return
	}
	for _, v := range i.cfg.VIPs {
		if v.Prefix.Contains(w.Addr) {
			n.addWitness(n.port(v.Port), w.Addr, rankConfigured, MAC{})
		}
	}
}

// addGroup builds a group. One that was there before goes on as it was, since
// its members may differ for a reason: half a service, for one. Of another the
// members lead if they are MASTER, until they share a state.
func (n *Node) addGroup(c Group, had []*group) {
	g := &group{cfg: c}
	for _, k := range c.Members {
		if i := n.byKey[k]; i != nil {
			i.group = g
			g.members = append(g.members, i)
		}
	}
	if len(g.members) == 0 {
		return
	}
	g.state, _ = g.shared()
	for _, h := range had {
		if h.cfg.Name == c.Name && slices.Equal(h.cfg.Members, c.Members) {
			g.state = h.state
		}
	}
	g.assess()
	n.groups = append(n.groups, g)
}

// assignRoles forgets ports that nothing uses any more.
func (n *Node) assignRoles() {
	for _, p := range n.ports {
		p.heart, p.serving = false, false
	}
	for _, i := range n.instances {
		i.heart.heart = true
		for _, s := range i.serving {
			s.port.serving = true
		}
	}
	n.ports = slices.DeleteFunc(n.ports, func(p *port) bool {
		unused := !p.heart && !p.serving
		if unused {
			delete(n.byName, p.name)
		}
		return unused
	})
}

// takeReload changes to another configuration. An instance that is gone says
// goodbye and gives its addresses back; one that stays keeps its state.
func (n *Node) takeReload(e Reload) {
	if n.stopping {
		return
	}
	keep := map[Key]bool{}
	for _, c := range e.Config.Instances {
		keep[c.Key()] = true
	}
	for _, i := range n.instances {
		if !keep[i.cfg.Key()] {
			i.reason = "removed from the configuration"
			n.drive(i, vrrp.Stop{})
		}
	}
	n.configure(e.Config)
	n.inquiries = nil
	n.emit(ReadPorts{})
}

// takeStop says goodbye for every instance and gives everything back.
func (n *Node) takeStop() {
	for _, i := range n.instances {
		i.reason = "stopped"
		n.drive(i, vrrp.Stop{})
	}
	n.stopping = true
	n.inquiries = nil
}
