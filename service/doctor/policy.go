package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"standfast/configfs"
)

// undecided lists what no evidence on this host can settle, and what the
// configured policies make of it. Instances of which the same holds are named
// together.
func (p *patient) undecided() []Undecided {
	all := []Undecided{}
	for _, i := range p.config.Instances {
		for _, u := range p.undecidedOf(i) {
			at := slices.IndexFunc(all, func(o Undecided) bool { return o.When == u.When && o.Then == u.Then })
			if at < 0 {
				at = len(all)
				all = append(all, u)
			}
			all[at].Instances = append(all[at].Instances, i.Name)
		}
	}
	slices.SortStableFunc(all, func(a, b Undecided) int { return slices.Compare(a.Instances, b.Instances) })
	if len(all) == 0 {
		return all
	}
	return append(all, Undecided{
		Instances: []string{},
		When:      "somebody answers for a virtual address from the peer's hardware address, or from one never seen before",
		Then: "the first is taken for the peer; the second holds a takeover up until the master-down interval has passed, and raises " +
			"the alarm",
	}, Undecided{
		Instances: []string{},
		When:      "the storage of this router fails while it is MASTER",
		Then:      p.storageFails(),
	})
}

// storageFails says what becomes of a mastership over a dead disk.
func (p *patient) storageFails() string {
	switch storage := p.config.Global.Storage; {
	case storage.Off:
		return "nobody notices: storage_watch is off"
	case storage.Keep:
		return "it goes on serving and says \"degraded\" (storage_yield off)"
	}
	return "it hands over once to a peer of its own kind that lives; to keepalived it cannot, since a keepalived BACKUP never says that " +
		"it is there, and goes on serving"
}

// undecidedOf is about one instance.
func (p *patient) undecidedOf(i configfs.Instance) []Undecided {
	asked := p.askable(i)
	down := masterDown(i)
	cable := i.Interface.Name
	if len(asked) == 0 {
		return []Undecided{{
			When: fmt.Sprintf("%s falls silent: no virtual address lives on another port, so nobody can be asked elsewhere", cable),
			Then: p.darkAndAlone(i, down),
		}}
	}
	ports := strings.Join(asked, ", ")
	all := []Undecided{{
		When: fmt.Sprintf("%s falls silent and nobody answers on %s, neither the peer nor any third party: the cable and %s failed "+
			"together, or the peer and every witness died in the same second", cable, ports, behind(asked)),
		Then: "where such a switch still gives carrier, " + prior(i, down) + "; where no serving port has any, this router gives its " +
			"addresses up until one has",
	}, {
		When: fmt.Sprintf("the peer still answers for the virtual addresses on %s, but no advert of it arrives", ports),
		Then: contested(i, down),
	}}
	if blind := p.blind(asked); len(blind) > 0 {
		all = append(all, Undecided{
			When: fmt.Sprintf("%s falls silent while %s hears no answer even in peacetime (blind)", cable, strings.Join(blind, ", ")),
			Then: "the silence there counts for nothing, and where no other port can be asked, " + prior(i, down),
		})
	}
	if i.Lease.Off {
		all = append(all, Undecided{
			When: "standfast dies or freezes on this router while it is MASTER",
			Then: "its addresses stay in the kernel, and it answers for them beside the peer until somebody comes (vip_lease off)",
		})
	}
	return all
}

// askable are the ports other than that of the adverts on which somebody can be
// asked for a virtual address of an instance.
func (p *patient) askable(i configfs.Instance) []string {
	var all []string
	for _, a := range slices.Concat(i.Addresses, i.Excluded) {
		if a.Dev.Name != i.Interface.Name && !slices.Contains(all, a.Dev.Name) {
			all = append(all, a.Dev.Name)
		}
	}
	return all
}

// blind are those ports of which the service says so.
func (p *patient) blind(among []string) []string {
	var all []string
	for _, one := range p.ports {
		if one.told != nil && one.told.Blind && slices.Contains(among, one.Name) {
			all = append(all, one.Name)
		}
	}
	return all
}

// behind names what ports hang on.
func behind(ports []string) string {
	if len(ports) == 1 {
		return "the switch behind " + ports[0]
	}
	return "all switches behind these ports"
}

// masterDown is how long an instance waits for an advert.
func masterDown(i configfs.Instance) time.Duration {
	skew := time.Duration(256-int(i.Priority)) * time.Second / 256
	if i.Version == 3 {
		skew = time.Duration(256-int(i.Priority)) * i.Interval / 256
	}
	adverts := i.DownAdverts
	if adverts == 0 {
		adverts = 3
	}
	return time.Duration(adverts)*i.Interval + skew
}

// tenths gives a time to tenths of a second.
func tenths(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// prior says what fault_prior makes of a silence that proves nothing.
func prior(i configfs.Instance, down time.Duration) string {
	master := "as MASTER this router goes on serving; as BACKUP it "
	switch i.Fault.Prior {
	case configfs.Serve:
		return master + "serves after " + tenths(down) + ", and if the peer lives both serve until one of the paths is back (fault_prior serve)"
	case configfs.Yield:
		return master + "stays BACKUP, once it has met a MASTER since it was started: if that one is dead, nobody serves until somebody " +
			"comes (fault_prior yield)"
	case configfs.Incumbent:
		return master + "serves after " + tenths(down) + " only if it was the last to serve, or has met no MASTER since it was started: if the peer was, and is dead, nobody serves " +
			"(fault_prior incumbent)"
	}
	return ""
}

// contested says what fault_contested makes of an address that is answered.
func contested(i configfs.Instance, down time.Duration) string {
	if i.Fault.Contested == configfs.Take {
		return "as BACKUP this router serves after " + tenths(down) + ", beside the peer if that one really serves (fault_contested take)"
	}
	return "as BACKUP this router stays and raises the alarm for as long as it is answered, even if the peer forwards nothing any more (fault_contested hold)"
}

// darkAndAlone is what becomes of an instance that has its addresses on the port
// of its adverts, or nowhere.
func (p *patient) darkAndAlone(i configfs.Instance, down time.Duration) string {
	for _, name := range servingPorts(i) {
		if name == i.Interface.Name {
			return "a lost carrier is FAULT here, as with keepalived, and the addresses go; a silence behind a living carrier is settled by questions on " +
				name + " itself, and where those prove nothing, " + prior(i, down)
		}
	}
	return prior(i, down)
}
