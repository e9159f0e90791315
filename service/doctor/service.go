package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strings"

	"standfast/configfs"
	"standfast/service"
	"standfast/vrrp"
	"standfast/vrrp/verdict"
)

// lookService hands on what the service itself complains about.
func (d *host) lookService(p *patient) []Finding {
	if p.status == nil {
		return nil
	}
	var findings []Finding
	for _, i := range p.status.Instances {
		for _, c := range complaints(i) {
			c.Severity, c.Check, c.Subject, c.Remedy = SeverityHazard, "state", i.Name, "standfast why "+i.Name
			findings = append(findings, c)
		}
		findings = append(findings, lookDropped(i)...)
	}
	findings = append(findings, p.lookLost()...)
	findings = append(findings, p.lookRestart()...)
	if len(findings) == 0 {
		return sound("state", "standfast", "every instance serves or stands by")
	}
	return findings
}

// lookRestart says that the service is still the program that was installed before.
func (p *patient) lookRestart() []Finding {
	if p.status.Restart == nil || !p.status.Restart.Pending {
		return nil
	}
	return []Finding{{
		Severity: SeverityNote, Check: "restart", Subject: "standfast", Text: p.status.Restart.String(),
		Why:    "what was mended in between is not in force, and the next start, whenever that is, runs another program than today",
		Remedy: "systemctl restart standfast    # at a quiet moment, on the BACKUP first",
	}}
}

// brief is an instance in three words.
func brief(i service.InstanceDocument) string {
	text := i.Name + " " + i.State
	if i.Verdict.Finding != verdict.None.String() {
		text += " (" + i.Verdict.Finding + ")"
	}
	return text
}

// complaints are what keeps an instance from serving or standing by: what, and
// why it hurts.
func complaints(i service.InstanceDocument) []Finding {
	var all []Finding
	master := i.State == vrrp.Master.String()
	switch {
	case !master && i.State != vrrp.Backup.String():
		causes := []string{}
		for _, f := range i.Faults {
			causes = append(causes, f.Text)
		}
		all = append(all, Finding{
			Text: strings.TrimSuffix(fmt.Sprintf("%s is in %s: %s", i.Name, i.State, strings.Join(causes, "; ")), ": "),
			Why:  "this router would not take over now, whatever happens to its peer",
		})
	case master && !i.Installed:
		all = append(all, Finding{
			Text: i.Name + " is MASTER but its addresses are not in the kernel",
			Why:  "nobody answers for them: hosts reach no router",
		})
	}
	switch contested := i.Verdict.Finding == verdict.Contested.String(); {
	case contested && master:
		all = append(all, Finding{
			Text: i.Name + " is contested: somebody else answers for its addresses as well",
			Why:  "hosts reach one router or the other by chance",
		})
	case contested:
		all = append(all, Finding{
			Text: i.Name + " is contested: its addresses are answered for, and no advert arrives",
			Why: "until adverts arrive again, only the questions on the other ports keep two routers from serving, and nothing but their " +
				"silence shows a death",
		})
	}
	if i.Partial {
		all = append(all, Finding{
			Text: i.Name + " serves some of its ports only", Why: "hosts on the others reach no router",
		})
	}
	return all
}

// lookDropped says why what arrives for an instance is not taken for the peer's.
func lookDropped(i service.InstanceDocument) []Finding {
	if len(i.Dropped) == 0 {
		return nil
	}
	var all []string
	for _, check := range slices.Sorted(maps.Keys(i.Dropped)) {
		all = append(all, fmt.Sprintf("%s %d", check, i.Dropped[check]))
	}
	f := Finding{
		Check: "dropped", Subject: i.Name, Severity: SeverityNote,
		Text:   fmt.Sprintf("%s drops adverts that arrive (%s)", i.Name, strings.Join(all, ", ")),
		Why:    "somebody on the segment does not agree with this router about their virtual router",
		Remedy: "standfast check FILE    # on both routers, and compare what the words name",
	}
	if i.Received == 0 {
		f.Severity, f.Why = SeverityHazard, "not one advert was understood: the two routers are no pair, and both serve"
	}
	return []Finding{f}
}

// lookLost says what the service could not send or was not told.
func (p *patient) lookLost() []Finding {
	var findings []Finding
	if n := p.status.Node.Lost["adverts_not_sent"]; n > 0 {
		findings = append(findings, Finding{
			Severity: SeverityHazard, Check: "unsent", Subject: "standfast",
			Text:   fmt.Sprintf("%d adverts could not be sent since the service was started", n),
			Why:    "a peer that misses three in a row takes over beside this router",
			Remedy: "journalctl -u standfast | grep -i 'cannot send'",
		})
	}
	dedicated := len(p.where(func(one patientPort) bool { return one.heartbeat() && one.serving() })) == 0
	if n := p.status.Node.Lost["adverts_not_ours"]; n > 0 && dedicated {
		findings = append(findings, Finding{
			Severity: SeverityHazard, Check: "vrid", Subject: "standfast",
			Text:   fmt.Sprintf("%d adverts came of a virtual router that no instance here has, on ports where nobody but the peer is expected", n),
			Why:    "a peer with another virtual_router_id, version or family is no peer: both routers serve",
			Remedy: "standfast check FILE    # on both routers: virtual_router_id, version, the family of virtual_ipaddress",
		})
	}
	for _, one := range p.ports {
		if one.told == nil || !one.told.Filtered {
			continue
		}
		findings = append(findings, Finding{
			Severity: SeverityHazard, Check: "filtered", Subject: one.Name,
			Text: "adverts arrive on " + one.Name + " and not one of them gets through the filters of this host",
			Why: "standfast hears them in front of the filters; keepalived would not, and on a way back to it both routers would be " +
				"MASTER",
			Remedy: p.unfilter(one),
		})
	}
	return findings
}

// unfilter is the likely cure for adverts that are dropped: the reverse path
// filter, where the sender is not in a subnet of the port, or else the firewall.
func (p *patient) unfilter(one patientPort) string {
	if one.Sysctls["rp_filter"] == 1 && !one.covers(p.masters(one.Name)) {
		return setLine(sysctlName("ipv4", one.Name, "rp_filter"), 2)
	}
	return "iptables -I INPUT -i " + one.Name + " -p 112 -j ACCEPT\n" +
		"nft insert rule inet filter input iifname " + one.Name + " meta l4proto 112 accept\n" +
		"firewall-cmd --permanent --zone=$(firewall-cmd --get-zone-of-interface=" + one.Name + ") --add-protocol=vrrp && firewall-cmd --reload"
}

// masters are the routers that the instances of a port obeyed last.
func (p *patient) masters(name string) []netip.Addr {
	var all []netip.Addr
	for _, i := range p.status.Instances {
		if a, err := netip.ParseAddr(i.Master); err == nil && i.Interface == name {
			all = append(all, a)
		}
	}
	return all
}

// covers says that all addresses are in subnets of the port.
func (p patientPort) covers(all []netip.Addr) bool {
	return !slices.ContainsFunc(all, func(a netip.Addr) bool {
		return !slices.ContainsFunc(p.subnets(), func(s netip.Prefix) bool { return s.Contains(a) })
	})
}

// lookEvidence looks, in peacetime, at what a silence would be worth.
func (d *host) lookEvidence(p *patient) []Finding {
	if p.status == nil {
		return nil
	}
	var findings []Finding
	asked := p.where(func(one patientPort) bool { return one.told != nil && one.told.Carrier == "up" && len(one.vips) > 0 })
	for _, one := range asked {
		switch {
		case one.told.Blind:
			findings = append(findings, Finding{
				Severity: SeverityHazard, Check: "blind", Subject: one.Name,
				Text: "the peer serves, and its virtual address is not answered on " + one.Name,
				Why:  "a silence there proves nothing: if all other ports are silent too, this router cannot tell a dead peer from a deaf port",
				Remedy: "sysctl net.ipv4.conf.all.arp_ignore net.ipv4.conf." + one.Name + ".arp_ignore    # on the peer\n" +
					"arping -D -c 3 -I " + one.Name + " " + one.firstVIP() + "    # then the switch: private VLAN, ARP inspection",
			})
		case one.told.Mute:
			findings = append(findings, Finding{
				Severity: SeverityHazard, Check: "mute", Subject: one.Name,
				Text:   "nobody was heard on " + one.Name + " since its carrier came up",
				Why:    "the switch may not forward yet (spanning tree), or the port is in the wrong VLAN: until then nothing is proved there",
				Remedy: "tcpdump -ni " + one.Name + " -c 5    # on the switch: edge port (portfast), VLAN",
			})
		case len(one.told.Witnesses) == 0:
			findings = append(findings, Finding{
				Severity: SeverityHazard, Check: "witness", Subject: one.Name,
				Text: "no third party answers on " + one.Name,
				Why: "a silence of the virtual address counts only while somebody else there answers; without one this router waits " +
					"for the master-down interval, and then acts by fault_prior",
				Remedy: "fault_witness ADDRESS dev " + one.Name + "    # a gateway, a switch's own address, a server that is always on",
			})
		}
	}
	findings = append(findings, p.lookCalibration(asked)...)
	if len(findings) == 0 && len(asked) > 0 {
		return sound("evidence", names(asked), "a silence would count")
	}
	return findings
}

func (p patientPort) firstVIP() string { return p.vips[0].Addr().String() }

// lookCalibration wants a BACKUP to have heard its peer answer on some port.
func (p *patient) lookCalibration(asked []patientPort) []Finding {
	backup := slices.ContainsFunc(p.status.Instances, func(i service.InstanceDocument) bool {
		return i.State == vrrp.Backup.String() && i.Master != ""
	})
	known := slices.ContainsFunc(asked, func(one patientPort) bool { return one.told.Calibrated || one.told.Blind || one.told.Mute })
	if !backup || known || len(asked) == 0 {
		return nil
	}
	return []Finding{{
		Severity: SeverityNote, Check: "calibration", Subject: names(asked),
		Text:   "the peer has not answered for a virtual address on any port within the last minute",
		Why:    "a silence counts only where there used to be a voice; until there is one, takeover waits for the master-down interval",
		Remedy: "standfast status    # again in a minute",
	}}
}

// lookAddresses wants virtual addresses to be where the service put them, and
// nowhere else.
func (d *host) lookAddresses(p *patient) []Finding {
	if p.stateless {
		return nil
	}
	// Those of a keepalived that serves, or of a service that does not say how it is, may be where they belong.
	judged := p.status != nil || p.absent && len(d.running("keepalived")) == 0
	var findings []Finding
	for _, name := range sortedKeys(p.states) {
		var stray []netip.Prefix
		for _, a := range p.states[name].Addresses {
			if judged && p.strays(a.Addr()) {
				stray = append(stray, a)
			}
		}
		if len(stray) == 0 {
			continue
		}
		var lines []string
		for _, a := range stray {
			lines = append(lines, fmt.Sprintf("ip address del %v dev %s", a, name))
		}
		findings = append(findings, Finding{
			Severity: SeverityHazard, Check: "address", Subject: name,
			Text:   fmt.Sprintf("%s has virtual addresses although this router does not serve: %s", name, prefixes(stray)),
			Why:    "it answers beside the MASTER: hosts reach one or the other by chance",
			Remedy: "# take them out of the host's network configuration, and\n" + strings.Join(lines, "\n"),
		})
	}
	findings = append(findings, p.lookRoutes()...)
	if len(findings) == 0 && judged {
		return sound("addresses", "virtual addresses", "nobody but the service holds them")
	}
	return findings
}

// strays says that an address is a virtual one that this router should not have
// now. In doubt nobody is accused.
func (p *patient) strays(a netip.Addr) bool {
	return slices.ContainsFunc(p.config.Instances, func(i configfs.Instance) bool {
		has := func(v configfs.Address) bool { return v.Prefix.Addr() == a }
		if i.Priority == ownerPriority || !slices.ContainsFunc(i.Addresses, has) && !slices.ContainsFunc(i.Excluded, has) {
			return false
		}
		if p.status == nil {
			return true
		}
		at := slices.IndexFunc(p.status.Instances, func(d service.InstanceDocument) bool { return d.Name == i.Name })
		return at >= 0 && p.status.Instances[at].State != vrrp.Master.String()
	})
}

// prefixes lists addresses, not all of very many.
func prefixes(all []netip.Prefix) string {
	var words []string
	for _, a := range all {
		words = append(words, a.Addr().String())
	}
	return several(words)
}

// several joins words, and only counts what would fill the page.
func several(words []string) string { return listed(words, " ") }

func listed(words []string, separator string) string {
	const most = 6
	if len(words) <= most {
		return strings.Join(words, separator)
	}
	return fmt.Sprintf("%s and %d more", strings.Join(words[:most-1], separator), len(words)-most+1)
}

// lookRoutes wants the gateway of a virtual route to be reachable on its port.
func (p *patient) lookRoutes() []Finding {
	var findings []Finding
	for _, i := range p.config.Instances {
		for _, r := range i.Routes {
			at := slices.IndexFunc(p.ports, func(o patientPort) bool { return o.Name == r.Dev.Name })
			if !r.Via.IsValid() || at < 0 || p.ports[at].reaches(r.Via) {
				continue
			}
			findings = append(findings, Finding{
				Severity: SeverityHazard, Check: "route", Subject: r.Dev.Name,
				Text:   fmt.Sprintf("%v: the gateway %v of %v is in no subnet of %s", r.Pos, r.Via, r.Dst, r.Dev.Name),
				Why:    "the kernel refuses the route at the takeover, and what should go there goes elsewhere",
				Remedy: fmt.Sprintf("ip route get %v oif %s    # then correct via, dev, or the mask of a virtual address", r.Via, r.Dev.Name),
			})
		}
	}
	return findings
}

// reaches says that an address is in a subnet of the port, virtual ones included.
func (p patientPort) reaches(a netip.Addr) bool {
	return a.IsLinkLocalUnicast() || slices.ContainsFunc(slices.Concat(p.state.Addresses, p.vips), func(s netip.Prefix) bool {
		return s.Contains(a)
	})
}

// lookScripts wants every notify script to be there, and to be one that can run.
// A name without a path is searched for when it is to run.
func (d *host) lookScripts(p *patient) []Finding {
	var absent, barred []string
	for _, s := range scriptsOf(p.config) {
		name := s.Argv[0]
		if !path.IsAbs(name) || slices.Contains(absent, name) || slices.Contains(barred, name) {
			continue
		}
		info, err := fs.Stat(d.files, strings.TrimPrefix(path.Clean(name), "/"))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			absent = append(absent, name)
		case err == nil && (info.IsDir() || info.Mode().Perm()&0o111 == 0):
			barred = append(barred, name)
		}
	}
	why := "the transition happens, and what the script does for it does not"
	var findings []Finding
	if len(absent) > 0 {
		findings = append(findings, Finding{
			Severity: SeverityHazard, Check: "script", Subject: several(absent), Text: "notify scripts that are not there: " + several(absent),
			Why: why, Remedy: "install -m 755 SCRIPT " + absent[0],
		})
	}
	if len(barred) > 0 {
		findings = append(findings, Finding{
			Severity: SeverityHazard, Check: "script", Subject: several(barred), Text: "notify scripts that may not be executed: " + several(barred),
			Why: why, Remedy: "chmod 755 " + strings.Join(barred, " "),
		})
	}
	if len(findings) == 0 {
		return sound("scripts", "notify scripts", "they are there")
	}
	return findings
}

// scriptsOf are all notify scripts of a configuration.
func scriptsOf(c configfs.Config) []configfs.Script {
	var all []configfs.Script
	add := func(n configfs.Notify) {
		for _, s := range []configfs.Script{n.Master, n.Backup, n.Fault, n.Stop, n.Any} {
			if len(s.Argv) > 0 {
				all = append(all, s)
			}
		}
	}
	for _, i := range c.Instances {
		add(i.Notify)
	}
	for _, g := range c.Groups {
		add(g.Notify)
	}
	return all
}
