package service

import (
	"fmt"
	"io/fs"
	"net/netip"
	"slices"

	"standfast/configfs"
	"standfast/hw/address"
	"standfast/vrrp"
	"standfast/vrrp/node"
)

// plan is one configuration in the forms in which it is worked with: what the
// brain is told, and beside it, by instance, what only the edges need.
type plan struct {
	node    node.Config
	tables  map[node.Key]table
	groups  map[string]configfs.Notify
	watch   watched
	process configfs.Process
}

// watched is what is looked at of the storage under the router.
type watched struct {
	off   bool
	paths []string // none: the usual ones
}

// table is what the edges need of one instance.
type table struct {
	name   string
	vips   []vipLine
	routes []routeLine
	notify configfs.Notify
}

// vipLine is a VIP whose port has no index yet: names outlive indexes.
type vipLine struct {
	port node.Port
	vip  address.VIP
}

// routeLine is a virtual route; without a port the kernel finds one.
type routeLine struct {
	port  node.Port
	route address.Route
}

func (w watched) same(o watched) bool { return w.off == o.off && slices.Equal(w.paths, o.paths) }

// ConfigError is a configuration that cannot be run, with everything that is
// wrong with it. A caller that meets it exits with status 2.
type ConfigError struct {
	File string
	Err  error // the errors among the diagnostics, joined
}

// Error gives every complaint, one to a line.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("the configuration %s cannot be run:\n%v", e.File, e.Err)
}

// Unwrap lets errors.Is find the causes, such as fs.ErrNotExist.
func (e *ConfigError) Unwrap() error { return e.Err }

// load reads a configuration file and everything it includes. The complaints
// come back also when there is no error.
func load(fsys fs.FS, file string) (plan, configfs.Diagnostics, error) {
	c, complaints := configfs.Load(fsys, file)
	if err := complaints.Err(); err != nil {
		return plan{}, complaints, &ConfigError{File: file, Err: err}
	}
	return configure(c), complaints, nil
}

// configure maps a configuration without errors.
func configure(c configfs.Config) plan {
	p := plan{tables: map[node.Key]table{}, groups: map[string]configfs.Notify{}, process: c.Global.Process}
	p.node.Storage, p.watch = storagePolicy(c.Global.Storage)
	keys := map[string]node.Key{}
	for _, i := range c.Instances {
		instance := brainInstance(i)
		p.node.Instances = append(p.node.Instances, instance)
		p.tables[instance.Key()] = edgeTable(i)
		keys[i.Name] = instance.Key()
	}
	for _, g := range c.Groups {
		group := node.Group{Name: g.Name}
		for _, m := range g.Members {
			group.Members = append(group.Members, keys[m.Name])
		}
		p.node.Groups = append(p.node.Groups, group)
		p.groups[g.Name] = g.Notify
	}
	return p
}

func storagePolicy(s configfs.Storage) (node.StoragePolicy, watched) {
	w := watched{off: s.Off}
	for _, p := range s.Paths {
		w.paths = append(w.paths, p.Name)
	}
	return node.StoragePolicy{Keep: s.Keep, Fence: s.Fence}, w
}

func brainInstance(i configfs.Instance) node.Instance {
	instance := node.Instance{
		Name:      i.Name,
		Port:      node.Port(i.Interface.Name),
		VRRP:      params(i),
		Source:    i.Source,
		Prior:     node.Prior(i.Fault.Prior),
		Contested: node.Contested(i.Fault.Contested),
		Rounds:    i.Fault.Rounds,
		Wait:      i.Fault.Wait,
		Witnesses: witnesses(i),
		Announce: node.Announcing{
			Repeat: i.Garp.Repeat, Delay: i.Garp.Delay,
			Refresh: i.Garp.Refresh, RefreshRepeat: i.Garp.RefreshRepeat,
		},
	}
	switch {
	case i.Lease.Off:
		instance.Lease = 0
	case i.Lease.Fixed > 0:
		instance.Lease = min(i.Lease.Fixed, address.MaxLease)
	default:
		instance.Lease = node.LeaseAuto
	}
	for _, a := range slices.Concat(i.Addresses, i.Excluded) {
		instance.VIPs = append(instance.VIPs, node.VIP{Prefix: a.Prefix, Port: node.Port(a.Dev.Name)})
	}
	for _, r := range i.Routes {
		if port := node.Port(r.Dev.Name); port != "" && !slices.Contains(instance.Routes, port) {
			instance.Routes = append(instance.Routes, port)
		}
	}
	for _, t := range i.Tracks {
		instance.Track = append(instance.Track, node.Port(t.Name))
	}
	return instance
}

func params(i configfs.Instance) vrrp.Params {
	p := vrrp.Params{
		VRID:         i.VRID,
		Family:       vrrp.Family(i.Family),
		Version:      vrrp.Version(i.Version),
		Priority:     i.Priority,
		Interval:     i.Interval,
		Preempt:      i.Preempt,
		PreemptDelay: i.PreemptDelay,
		DownAdverts:  i.DownAdverts,
	}
	if i.AuthPass {
		p.Auth, p.Password = vrrp.AuthPass, i.Password
	}
	for _, a := range i.Addresses {
		p.Addresses = append(p.Addresses, a.Prefix.Addr())
	}
	return p
}

// witnesses are those that were named, and the gateways of the virtual routes.
func witnesses(i configfs.Instance) []node.Witness {
	var all []node.Witness
	for _, w := range i.Fault.Witnesses {
		all = append(all, node.Witness{Addr: w.Address, Port: node.Port(w.Dev.Name)})
	}
	for _, r := range i.Routes {
		w := node.Witness{Addr: r.Via, Port: node.Port(r.Dev.Name)}
		if r.Via.IsValid() && !slices.Contains(all, w) {
			all = append(all, w)
		}
	}
	return all
}

func edgeTable(i configfs.Instance) table {
	t := table{name: i.Name, notify: i.Notify}
	for _, a := range slices.Concat(i.Addresses, i.Excluded) {
		t.vips = append(t.vips, vipLine{
			port: node.Port(a.Dev.Name),
			vip:  address.VIP{Prefix: a.Prefix, Broadcast: a.Broadcast, Label: a.Label, Scope: a.Scope},
		})
	}
	for _, r := range i.Routes {
		t.routes = append(t.routes, routeLine{
			port: node.Port(r.Dev.Name),
			route: address.Route{
				Dst: r.Dst, Via: r.Via, Src: r.Src,
				Metric: r.Metric, Table: r.Table, Scope: r.Scope,
			}.Normal(),
		})
	}
	return t
}

// ports are all ports that the configuration names, each once.
func (p plan) ports() []node.Port {
	var all []node.Port
	for _, i := range p.node.Instances {
		all = append(all, i.Port)
		all = append(all, i.Routes...)
		all = append(all, i.Track...)
		for _, v := range i.VIPs {
			all = append(all, v.Port)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// heartbeats are the ports that carry adverts, each once.
func (p plan) heartbeats() []node.Port {
	var all []node.Port
	for _, i := range p.node.Instances {
		all = append(all, i.Port)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// virtual are all VIPs.
func (p plan) virtual() map[netip.Addr]bool {
	all := map[netip.Addr]bool{}
	for _, i := range p.node.Instances {
		for _, v := range i.VIPs {
			all[v.Prefix.Addr()] = true
		}
	}
	return all
}

// advertGroup is where the adverts of an instance go.
func advertGroup(i node.Instance) netip.Addr {
	if i.Group.IsValid() {
		return i.Group
	}
	return i.VRRP.Family.Group()
}
