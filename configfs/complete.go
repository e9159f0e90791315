package configfs

import (
	"fmt"
	"slices"
	"time"
)

// complete settles, when everything is read, what depends on more than one keyword.
func (d *decoder) complete() {
	for _, i := range d.drafts {
		d.completeVersion(i)
		d.completePriority(i)
		d.completeInterval(i)
		d.completeAuthentication(i)
		d.completePorts(i)
		d.completeFault(i)
		d.config.Instances = append(d.config.Instances, *i.Instance)
	}
	if len(d.drafts) == 0 {
		d.error(Position{File: d.config.Files[0]}, "write one, or copy those of keepalived; without any, every address would go from this router",
			"there is no vrrp_instance in the configuration")
	}
	d.completeStorage()
	d.uniqueNames()
	d.uniqueRouters()
	d.uniqueAddresses()
	d.settleGroups()
}

// completeVersion settles family and version, and that every advertised address is of that family.
func (d *decoder) completeVersion(i *draft) {
	i.Family = 4
	switch {
	case !i.given["virtual_ipaddress"]:
		d.error(i.Pos, "add virtual_ipaddress { ADDRESS/LENGTH dev INTERFACE }", "vrrp_instance %s has no virtual_ipaddress", i.Name)
	case i.vacant && len(i.Addresses) == 0:
		d.error(i.Pos, "an advert carries at least one address: write ADDRESS/LENGTH dev INTERFACE into it",
			"the virtual_ipaddress of vrrp_instance %s is empty", i.Name)
	}
	if len(i.Addresses) > 0 && i.Addresses[0].Prefix.Addr().Is6() {
		i.Family = 6
	}
	for _, a := range i.Addresses {
		if a.Prefix.Addr().Is4() != (i.Family == 4) {
			d.error(a.Pos, "put it into virtual_ipaddress_excluded", "%v is not of the family of the first address, IPv%d",
				a.Prefix.Addr(), i.Family)
		}
	}
	if i.Source.IsValid() && i.Source.Is4() != (i.Family == 4) {
		d.error(i.source.pos, "", "mcast_src_ip %v is not of the family of the addresses, IPv%d", i.Source, i.Family)
	}
	if i.Version == 2 && i.Family == 6 {
		d.hazard(i.Pos, "write version 3", "vrrp_instance %s has IPv6 addresses, which version 2 cannot carry: it runs version 3", i.Name)
	}
	switch {
	case i.Family == 6:
		i.Version = 3
		d.linkLocalFirst(i)
	case i.Version == 0:
		i.Version = max(d.version, 2)
	}
}

// linkLocalFirst: RFC 9568 §5.2.9 wants the link-local address first, and strict peers drop what has none there.
func (d *decoder) linkLocalFirst(i *draft) {
	if a := i.Addresses[0]; !a.Prefix.Addr().IsLinkLocalUnicast() {
		d.hazard(a.Pos, "put a link-local address (fe80::/10) before it",
			"the first IPv6 address is not link-local, as RFC 9568 demands: a peer may drop the adverts")
	}
}

// completePriority fills in the priority and undoes what keepalived does not allow beside it.
func (d *decoder) completePriority(i *draft) {
	if !i.given["priority"] {
		i.Priority = 100
		if i.StateMaster {
			i.Priority = 255
			d.hazard(i.Pos, "write the priority", "vrrp_instance %s is MASTER without a priority: it is 255, the owner of its addresses", i.Name)
		}
	}
	if (i.StateMaster || i.Priority == 255) && (!i.Preempt || i.PreemptDelay > 0) {
		d.hazard(i.preempt.pos, "write state BACKUP and a priority below 255",
			"%s has no effect beside state MASTER or priority 255, as in keepalived", i.preempt.text)
		i.Preempt, i.PreemptDelay = true, 0
	}
}

// completeInterval settles advert_int, whose steps and bounds depend on the version.
func (d *decoder) completeInterval(i *draft) {
	if i.Interval == 0 {
		i.Interval = time.Second
	}
	step, most := time.Second, 255*time.Second
	if i.Version == 3 {
		step, most = 10*time.Millisecond, 40950*time.Millisecond
	}
	if i.Interval > most {
		d.error(i.interval.pos, "", "advert_int %v is above the %v s that version %d can carry",
			i.Interval.Seconds(), most.Seconds(), i.Version)
		return
	}
	if rounded := max(i.Interval.Round(step), step); rounded != i.Interval {
		d.hazard(i.interval.pos, "version 3 carries steps of 0.01 s, version 2 whole seconds; both routers need the same",
			"version %d cannot carry advert_int %v: it is %v s", i.Version, i.Interval.Seconds(), rounded.Seconds())
		i.Interval = rounded
	}
}

// completeAuthentication settles auth_type and auth_pass.
func (d *decoder) completeAuthentication(i *draft) {
	typ, pass := i.authType, i.authPass
	switch {
	case typ == word{} && pass == word{}:
		return
	case typ == word{}:
		d.hazard(pass.pos, "add auth_type PASS", "auth_pass has no effect without auth_type, as in keepalived")
		return
	case typ.text == "AH":
		d.error(typ.pos, "use PASS, or none", "auth_type AH is known to keepalived, not yet understood by standfast")
		return
	case typ.text != "PASS":
		d.error(typ.pos, "write PASS", "%q is no auth_type", typ.text)
		return
	case pass.text == "":
		d.error(typ.pos, "add auth_pass", "auth_type PASS lacks its auth_pass")
		return
	case i.Version == 3:
		d.hazard(typ.pos, "remove authentication, or write version 2", "VRRP version 3 has no authentication: it is ignored, as in keepalived")
		return
	case len(pass.text) > 8:
		d.hazard(pass.pos, "shorten it on both routers", "auth_pass has %d characters, of which the first 8 count", len(pass.text))
	}
	i.AuthPass = true
	copy(i.Password[:], pass.text)
}

// completePorts settles where everything lives, and what is served where.
func (d *decoder) completePorts(i *draft) {
	if !i.given["interface"] {
		d.error(i.Pos, "add interface NAME", "vrrp_instance %s has no interface", i.Name)
	}
	if !i.given["virtual_router_id"] {
		d.error(i.Pos, "add virtual_router_id from 1 to 255, the same on both routers", "vrrp_instance %s has no virtual_router_id", i.Name)
	}
	i.Addresses = d.place(i, i.Addresses)
	i.Excluded = d.place(i, i.Excluded)
	if len(i.Addresses) > 255 {
		d.hazard(i.Addresses[255].Pos, "move it to virtual_ipaddress_excluded",
			"an advert carries 255 addresses: from this one on they are held but not advertised, as in keepalived")
		i.Excluded = append(slices.Clone(i.Addresses[255:]), i.Excluded...)
		i.Addresses = i.Addresses[:255]
	}
	d.servingPorts(i)
}

// place puts addresses without dev on the instance's interface, and drops those given twice.
func (d *decoder) place(i *draft, all []Address) []Address {
	seen := map[string]Position{}
	var kept []Address
	for _, a := range all {
		if a.Dev.Name == "" {
			a.Dev = Port{i.Interface.Name, a.Pos}
		}
		key := fmt.Sprint(a.Prefix, a.Dev.Name)
		if before, again := seen[key]; again {
			d.hazard(a.Pos, "remove one of the two", "%v is given again, after %s: the first one counts", a.Prefix, before.seen(a.Pos))
			continue
		}
		seen[key] = a.Pos
		kept = append(kept, a)
	}
	return kept
}

// servingPorts complains about what the roles of the ports make of the configuration: a port serves when it holds an
// address, or when a route or track_interface names it and it is not the interface of the adverts.
func (d *decoder) servingPorts(i *draft) {
	home := i.Interface.Name
	holds, served := false, false
	for _, a := range slices.Concat(i.Addresses, i.Excluded) {
		holds = holds || a.Dev.Name == home
		served = served || a.Dev.Name != "lo"
	}
	for _, r := range i.Routes {
		served = served || r.Dev.Name != "" && r.Dev.Name != home && r.Dev.Name != "lo"
		if r.Dev.Name == home && home != "" && !holds {
			d.hazard(r.Dev.Pos, "its loss alone is no fault; give the interface an address if it is to serve",
				"a route leads over %s, which carries the adverts of %s and none of its addresses", home, i.Name)
		}
	}
	others := i.Tracks[:0:0]
	for _, t := range i.Tracks {
		if t.Name == home {
			d.ownTracked(i, t, holds)
			continue
		}
		others, served = append(others, t), true
	}
	i.Tracks = others
	if !served && len(i.Addresses) > 0 {
		d.hazard(i.Pos, "put an address, a route or track_interface on a port that leads to other stations",
			"vrrp_instance %s serves on no port where somebody could be asked whether the peer lives", i.Name)
	}
}

// ownTracked complains that track_interface names the instance's own interface.
func (d *decoder) ownTracked(i *draft, t Port, holds bool) {
	if holds {
		d.note(t.Pos, "remove it", "%s is the interface of %s and tracked anyway", t.Name, i.Name)
		return
	}
	d.hazard(t.Pos, "remove it; its loss is a question about the peer, not a fault",
		"track_interface names %s, which carries the adverts of %s and none of its addresses: it is not tracked", t.Name, i.Name)
}

// completeFault settles the extensions.
func (d *decoder) completeFault(i *draft) {
	if i.DontTrackPrimary && i.Fault.Prior != Serve {
		d.hazard(i.Pos, "remove one of the two", "vrrp_instance %s has dont_track_primary, which means fault_prior serve, and fault_prior %v: the latter counts",
			i.Name, i.Fault.Prior)
	}
	if l := i.Lease.Fixed; l > 0 && l < min(2*i.Interval, maxLease) {
		d.hazard(i.lease.pos, "write auto, or three times advert_int",
			"vip_lease %v is shorter than two advert_int of %v s: the kernel withdraws the addresses of a router that is merely slow",
			i.lease.text, i.Interval.Seconds())
	}
}
