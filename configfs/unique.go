package configfs

import (
	"fmt"
	"net/netip"
	"slices"
)

// uniqueNames complains about instances and groups that share a name.
func (d *decoder) uniqueNames() {
	seen := map[string]Position{}
	for _, i := range d.config.Instances {
		d.taken(seen, "vrrp_instance "+i.Name, i.Pos)
	}
	for _, g := range d.config.Groups {
		d.taken(seen, "vrrp_sync_group "+g.Name, g.Pos)
	}
}

func (d *decoder) taken(seen map[string]Position, name string, at Position) {
	if before, again := seen[name]; again {
		d.error(at, "give each its own name", "%s is defined already in %s", name, before.seen(at))
		return
	}
	seen[name] = at
}

// uniqueRouters complains about instances that could not be told apart on the wire.
func (d *decoder) uniqueRouters() {
	seen := map[string]string{}
	for _, i := range d.config.Instances {
		if i.VRID == 0 || i.Interface.Name == "" {
			continue // said already
		}
		key := fmt.Sprintf("virtual_router_id %d for IPv%d on %s", i.VRID, i.Family, i.Interface.Name)
		if other, again := seen[key]; again {
			d.error(i.Pos, "give each instance its own", "vrrp_instance %s and %s both use %s", other, i.Name, key)
			continue
		}
		seen[key] = i.Name
	}
}

// uniqueAddresses complains about an address that two instances hold: when one lets go of it, the other loses it.
func (d *decoder) uniqueAddresses() {
	type held struct {
		prefix netip.Prefix
		dev    string
	}
	seen := map[held]string{}
	for _, i := range d.config.Instances {
		for _, a := range slices.Concat(i.Addresses, i.Excluded) {
			key := held{a.Prefix, a.Dev.Name}
			if other, again := seen[key]; again {
				d.hazard(a.Pos, "leave it to one of them", "%v on %s belongs to %s already: when one lets go of it, the other loses it",
					a.Prefix, a.Dev.Name, other)
				continue
			}
			seen[key] = "vrrp_instance " + i.Name
		}
	}
}

// settleGroups checks that groups consist of instances, each in one group only.
func (d *decoder) settleGroups() {
	var names []string
	for _, i := range d.config.Instances {
		names = append(names, i.Name)
	}
	grouped := map[string]string{}
	for n, g := range d.config.Groups {
		var members []Member
		for _, m := range g.Members {
			other, again := grouped[m.Name]
			switch {
			case !slices.Contains(names, m.Name):
				d.error(m.Pos, suggest(m.Name, slices.Clone(names)), "vrrp_sync_group %s: there is no vrrp_instance %s", g.Name, m.Name)
			case again:
				d.error(m.Pos, "remove it from one of them", "vrrp_instance %s is in vrrp_sync_group %s already", m.Name, other)
			default:
				grouped[m.Name] = g.Name
				members = append(members, m)
			}
		}
		if len(g.Members) < 2 {
			d.hazard(g.Pos, "write group { INSTANCE INSTANCE … }", "vrrp_sync_group %s has fewer than two members: it changes nothing", g.Name)
		}
		d.config.Groups[n].Members = members
	}
}
