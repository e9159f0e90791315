package doctor

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"standfast/configfs"
	"standfast/service"
)

// lookPorts looks at each configured port by itself.
func (d *host) lookPorts(p *patient) []Finding {
	if p.stateless {
		return nil // said already
	}
	findings := d.lookMissing(p)
	for _, one := range p.where(func(one patientPort) bool { return one.state.Present }) {
		findings = append(findings, lookLink(one)...)
		findings = append(findings, d.lookSource(p, one)...)
		findings = append(findings, lookMTU(p, one)...)
		findings = append(findings, d.lookFlags(one)...)
		findings = append(findings, d.lookErrors(one)...)
	}
	findings = append(findings, p.lookSwitched()...)
	if len(findings) == 0 {
		return sound("ports", names(p.ports), "every configured port is up, with an address to speak from where it needs one")
	}
	return findings
}

// lookSwitched hints at switches through which adverts pass. Nobody can ask them
// from here.
func (p *patient) lookSwitched() []Finding {
	switched := p.where(func(one patientPort) bool {
		return one.heartbeat() && (one.serving() || one.told != nil && len(one.told.Witnesses) > 0)
	})
	if len(switched) == 0 {
		return nil
	}
	return []Finding{{
		Severity: SeverityNote, Check: "switch", Subject: names(switched),
		Text: "adverts on " + names(switched) + " pass a switch",
		Why: "a switch that snoops on IGMP may stop to forward 224.0.0.18, and one with spanning tree forwards nothing for half a minute " +
			"after each carrier",
		Remedy: "# on the switch, for these ports: spanning-tree portfast; and where IGMP is snooped, a querier or no snooping in this VLAN",
	}}
}

// lookMissing names the ports that are not there, together where the same
// follows.
func (d *host) lookMissing(p *patient) []Finding {
	missing := map[string][]string{}
	for _, one := range p.where(func(one patientPort) bool { return !one.state.Present }) {
		missing[one.loss()] = append(missing[one.loss()], one.Name)
	}
	var findings []Finding
	for _, loss := range sortedKeys(missing) {
		text := several(missing[loss]) + " does not exist"
		if len(missing[loss]) > 1 {
			text = several(missing[loss]) + " do not exist"
		}
		findings = append(findings, Finding{
			Severity: SeverityHazard, Check: "link", Subject: strings.Join(missing[loss], " "), Text: text,
			Why: "until then, " + loss, Remedy: "ip -br link    # renamed? " + p.likely(),
		})
	}
	return findings
}

// lookLink wants a link of a port that is there.
func lookLink(one patientPort) []Finding {
	f := Finding{Severity: SeverityHazard, Check: "link", Subject: one.Name}
	switch {
	case !one.state.AdminUp:
		f.Text, f.Why = one.Name+" is switched off", one.loss()
		f.Remedy = "ip link set " + one.Name + " up"
	case one.Carrier == "down":
		f.Text, f.Why = one.Name+" has no carrier", one.loss()
		f.Remedy = "ethtool " + one.Name + "    # then plug, cable, the port at the other end"
	case one.told != nil && one.told.Culprit != "":
		f.Text, f.Why = one.Name+" has a carrier and does not work", one.loss()
		f.Remedy = "dmesg | grep -i -e " + one.Name + " | tail -n 20"
	default:
		return nil
	}
	if one.told != nil {
		f.Text += because(*one.told)
	}
	return []Finding{f}
}

// because is what is known of the cause, in words that end a sentence.
func because(p service.PortDocument) string {
	switch culprit := strings.TrimPrefix(p.Culprit, p.Name+": "); {
	case culprit != "" && culprit != "no carrier":
		return ": " + culprit
	case p.Reason != "":
		return "; its driver says: " + p.Reason
	}
	return ""
}

// loss says what follows while a port is not there.
func (p patientPort) loss() string {
	switch {
	case p.heartbeat() && p.serving():
		return "there are neither adverts nor service, and the router is in FAULT"
	case p.heartbeat():
		return "there are no adverts: who serves is found out by questions on the other ports alone"
	}
	return "there is no service: the router is in FAULT, or serves in part"
}

// likely names ports that are not configured, of which one may be a missing one.
func (p *patient) likely() string {
	var spare []string
	for _, name := range sortedKeys(p.states) {
		if !p.states[name].Loopback && !slices.ContainsFunc(p.ports, func(o patientPort) bool { return o.Name == name }) {
			spare = append(spare, name)
		}
	}
	if len(spare) == 0 {
		return "there is no port that is not configured"
	}
	return "not configured are " + several(spare)
}

// lookSource wants an address to send adverts from.
func (d *host) lookSource(p *patient, one patientPort) []Finding {
	var findings []Finding
	for _, family := range []uint8{4, 6} {
		var mute []string
		for _, i := range p.config.Instances {
			if i.Interface.Name == one.Name && i.Family == family && !i.Source.IsValid() && !one.hasSource(i) {
				mute = append(mute, i.Name)
			}
		}
		if len(mute) == 0 {
			continue
		}
		kind, remedy := "IPv4", "ip address add ADDRESS/LENGTH dev "+one.Name+"    # and in the host's network configuration"
		if family == 6 {
			kind, remedy = "link-local IPv6", "sysctl -w "+sysctlName("ipv6", one.Name, "disable_ipv6")+"=0\nip link set "+one.Name+" up"
		}
		findings = append(findings, Finding{
			Severity: SeverityHazard, Check: "source", Subject: one.Name,
			Text:   fmt.Sprintf("%s has no %s address of its own, from which the adverts of %s could come", one.Name, kind, several(mute)),
			Why:    "without a source no advert is sent, and the peer takes over beside this router",
			Remedy: remedy,
		})
	}
	return findings
}

// hasSource says that the port has an address that is not a virtual one.
func (p patientPort) hasSource(i configfs.Instance) bool {
	return slices.ContainsFunc(p.state.Addresses, func(a netip.Prefix) bool {
		if slices.ContainsFunc(p.vips, func(v netip.Prefix) bool { return v.Addr() == a.Addr() }) {
			return i.Priority == ownerPriority
		}
		if i.Family == 6 {
			return a.Addr().Is6() && a.Addr().IsLinkLocalUnicast()
		}
		return a.Addr().Is4()
	})
}

// ownerPriority is that of a router to whom the addresses belong.
const ownerPriority = 255

// lookMTU wants adverts to fit, and IPv6 to be possible.
func lookMTU(p *patient, one patientPort) []Finding {
	var findings []Finding
	for _, i := range p.config.Instances {
		if i.Interface.Name != one.Name {
			continue
		}
		if size := advertSize(i); size > one.state.MTU {
			findings = append(findings, Finding{
				Severity: SeverityHazard, Check: "mtu", Subject: one.Name,
				Text:   fmt.Sprintf("an advert of %s has %d bytes and the MTU of %s is %d", i.Name, size, one.Name, one.state.MTU),
				Why:    "adverts are never sent in fragments: the peer hears none and takes over beside this router",
				Remedy: fmt.Sprintf("ip link set %s mtu 1500    # or move addresses to virtual_ipaddress_excluded", one.Name),
			})
		}
	}
	const leastOfIPv6 = 1280
	if one.state.MTU < leastOfIPv6 && (one.has(6) || p.speaks6(one.Name)) {
		findings = append(findings, Finding{
			Severity: SeverityHazard, Check: "mtu", Subject: one.Name,
			Text:   fmt.Sprintf("the MTU of %s is %d, and IPv6 needs 1280", one.Name, one.state.MTU),
			Why:    "the kernel has no IPv6 on such a port",
			Remedy: fmt.Sprintf("ip link set %s mtu 1500", one.Name),
		})
	}
	return findings
}

// advertSize is the length of an instance's adverts with their IP header.
func advertSize(i configfs.Instance) int {
	const header4, header6, fixed, authentication = 20, 40, 8, 8
	switch {
	case i.Family == 6:
		return header6 + fixed + 16*len(i.Addresses)
	case i.Version == 3:
		return header4 + fixed + 4*len(i.Addresses)
	}
	return header4 + fixed + 4*len(i.Addresses) + authentication
}

// lookFlags wants multicast on a port that sends to a group.
func (d *host) lookFlags(one patientPort) []Finding {
	if !d.here(one) {
		return nil
	}
	const multicast = 0x1000
	flags, err := strconv.ParseUint(d.text(path.Join("sys/class/net", one.Name, "flags")), 0, 32)
	if err != nil || flags&multicast != 0 {
		return nil
	}
	return []Finding{{
		Severity: SeverityHazard, Check: "multicast", Subject: one.Name,
		Text:   "multicast is switched off on " + one.Name,
		Why:    "adverts go to a multicast group, and some drivers let none of them in on such a port; IPv6 does not run there at all",
		Remedy: "ip link set " + one.Name + " multicast on",
	}}
}

// here says that /sys shows the same port: in another network namespace it may
// show another one of the same name.
func (d *host) here(one patientPort) bool {
	index, known := d.number(path.Join("sys/class/net", one.Name, "ifindex"))
	return known && index == one.state.Index
}

// lookErrors reads counters that stay at nought on a healthy port.
func (d *host) lookErrors(one patientPort) []Finding {
	if !d.here(one) {
		return nil
	}
	var findings []Finding
	if n, _ := d.number(path.Join("sys/class/net", one.Name, "statistics/rx_crc_errors")); n > 0 {
		findings = append(findings, Finding{
			Severity: SeverityNote, Check: "cable", Subject: one.Name,
			Text:   fmt.Sprintf("%s has received %d frames with a wrong checksum since it came up", one.Name, n),
			Why:    "a bad cable or plug loses adverts now and then before it loses the carrier",
			Remedy: fmt.Sprintf("ethtool -S %s | grep -i -e crc -e err    # twice, a minute apart; then another cable", one.Name),
		})
	}
	hung := 0
	for _, queue := range d.list(path.Join("sys/class/net", one.Name, "queues")) {
		n, _ := d.number(path.Join("sys/class/net", one.Name, "queues", queue, "tx_timeout"))
		hung += n
	}
	if hung > 0 {
		findings = append(findings, Finding{
			Severity: SeverityNote, Check: "hang", Subject: one.Name,
			Text:   fmt.Sprintf("transmit queues of %s hung %d times since the driver was loaded", one.Name, hung),
			Why:    "while a queue hangs no advert leaves, for five seconds and more, although the carrier is up",
			Remedy: fmt.Sprintf("dmesg | grep -i -e %s -e 'tx timeout'\nethtool -K %s tso off gso off    # cures some cards of the e1000e", one.Name, one.Name),
		})
	}
	return findings
}

// lookCards looks for ports that one failure takes together.
func (d *host) lookCards(p *patient) []Finding {
	var findings []Finding
	for _, heart := range p.where(patientPort.heartbeat) {
		var together []patientPort
		on := ""
		for _, o := range p.where(patientPort.serving) {
			if shared := heart.shares(o); shared != "" {
				together, on = append(together, o), shared
			}
		}
		if heart.serving() || len(together) == 0 {
			continue
		}
		remedy := fmt.Sprintf("interface PORT    # of %s, on another card: none is free", p.instancesOn(heart.Name))
		if spare := d.elsewhere(p, heart.Card); len(spare) > 0 {
			remedy = fmt.Sprintf("interface %s    # of %s, with the cable moved: on another card are %s",
				spare[0], p.instancesOn(heart.Name), strings.Join(spare, " "))
		}
		findings = append(findings, Finding{
			Severity: SeverityHazard, Check: "card", Subject: heart.Name + " " + names(together),
			Text: fmt.Sprintf("%s carries the adverts and is on one %s with %s", heart.Name, on, names(together)),
			Why: "one failure takes the service and the voice that would say so: the peer gets no goodbye and has to find out by asking, " +
				"where nobody answers any more",
			Remedy: remedy,
		})
	}
	if len(findings) == 0 {
		return sound("cards", names(p.ports), "no card carries both adverts and service")
	}
	return findings
}

// shares names what would take both ports with it: a port beneath both, or a
// card; empty where there is no such thing.
func (p patientPort) shares(o patientPort) string {
	if p.Name == o.Name {
		return ""
	}
	for _, below := range append([]string{p.Name}, p.Through...) {
		if slices.Contains(append([]string{o.Name}, o.Through...), below) {
			return "port (" + below + ")"
		}
	}
	if slices.Contains(p.Siblings, o.Name) {
		return "card (" + p.Card + ")"
	}
	return ""
}

// instancesOn names the instances whose adverts go to a port.
func (p *patient) instancesOn(name string) string {
	var all []string
	for _, i := range p.config.Instances {
		if i.Interface.Name == name {
			all = append(all, i.Name)
		}
	}
	return cmp.Or(strings.Join(all, " "), "the instance")
}

// elsewhere lists ports on another card that are not configured.
func (d *host) elsewhere(p *patient, card string) []string {
	var all []string
	for name, s := range p.states {
		if slices.ContainsFunc(p.ports, func(o patientPort) bool { return o.Name == name }) || s.Master != 0 {
			continue
		}
		if id := d.identify(name); id.Card != "" && id.Card != card {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// lookLayers looks at bridges and bonds, over the ports and beneath them.
func (d *host) lookLayers(p *patient) []Finding {
	var findings []Finding
	for _, one := range p.ports {
		if !one.state.Present || !d.here(one) {
			continue
		}
		findings = append(findings, d.lookMaster(p, one)...)
		findings = append(findings, d.lookBridge(one)...)
		findings = append(findings, d.lookBond(one)...)
	}
	if len(findings) == 0 {
		return sound("layers", names(p.ports), "no bridge or bond is in the way")
	}
	return findings
}

// lookMaster wants a port to be nobody's part.
func (d *host) lookMaster(p *patient, one patientPort) []Finding {
	if one.state.Master == 0 {
		return nil
	}
	master := fmt.Sprintf("interface %d", one.state.Master)
	for name, s := range p.states {
		if s.Index == one.state.Master {
			master = name
		}
	}
	if d.list(path.Join("sys/class/net", master, "bridge")) == nil && d.list(path.Join("sys/class/net", master, "bonding")) == nil {
		return nil // a VRF, or something that leaves the port its addresses
	}
	return []Finding{{
		Severity: SeverityHazard, Check: "enslaved", Subject: one.Name,
		Text:   fmt.Sprintf("%s is part of %s", one.Name, master),
		Why:    fmt.Sprintf("what arrives there belongs to %s: addresses on %s are not answered for", master, one.Name),
		Remedy: fmt.Sprintf("interface %s    # and dev %s, in the place of %s", master, master, one.Name),
	}}
}

// lookBridge wants a bridge to forward as soon as it has a carrier.
func (d *host) lookBridge(one patientPort) []Finding {
	dir := path.Join("sys/class/net", one.Name, "bridge")
	stp, known := d.number(path.Join(dir, "stp_state"))
	if !known || stp == 0 {
		return nil
	}
	const perSecond = 100 // the kernel's unit towards user space
	delay, _ := d.number(path.Join(dir, "forward_delay"))
	return []Finding{{
		Severity: SeverityHazard, Check: "bridge", Subject: one.Name,
		Text: fmt.Sprintf("%s is a bridge with spanning tree, and listens for %d s before it forwards", one.Name, 2*delay/perSecond),
		Why: "so long after each change of a port this router hears nobody, may take the silence for a death, and is not heard " +
			"itself",
		Remedy: fmt.Sprintf("ip link set %s type bridge stp_state 0    # where no loop is possible", one.Name),
	}}
}

// lookBond wants a bond that notices a dead link, and whose links do not fail
// together.
func (d *host) lookBond(one patientPort) []Finding {
	dir := path.Join("sys/class/net", one.Name, "bonding")
	slaves := strings.Fields(d.text(path.Join(dir, "slaves")))
	if len(slaves) == 0 {
		return nil
	}
	var findings []Finding
	miimon, _ := d.number(path.Join(dir, "miimon"))
	if arp, _ := d.number(path.Join(dir, "arp_interval")); miimon == 0 && arp == 0 {
		findings = append(findings, Finding{
			Severity: SeverityHazard, Check: "bond", Subject: one.Name,
			Text:   one.Name + " is a bond that watches none of its links",
			Why:    "a link that dies keeps its share of the traffic, adverts included, and the bond keeps its carrier",
			Remedy: fmt.Sprintf("ip link set %s type bond miimon 100", one.Name),
		})
	}
	var dead []string
	for _, s := range slaves {
		if d.text(path.Join("sys/class/net", s, "bonding_slave/mii_status")) == "down" {
			dead = append(dead, s)
		}
	}
	if len(dead) > 0 {
		findings = append(findings, Finding{
			Severity: SeverityHazard, Check: "bond", Subject: one.Name,
			Text:   fmt.Sprintf("%s has lost %s", one.Name, strings.Join(dead, " ")),
			Why:    "the bond lives on what is left of it, and nobody will notice until that goes too",
			Remedy: "ethtool " + dead[0],
		})
	}
	if one.Card != "" && !strings.Contains(one.Card, "+") && len(slaves) > 1 {
		findings = append(findings, Finding{
			Severity: SeverityNote, Check: "bond", Subject: one.Name,
			Text:   fmt.Sprintf("all links of %s (%s) are on one card (%s)", one.Name, strings.Join(slaves, " "), one.Card),
			Why:    "the bond survives a cable, and not the card",
			Remedy: fmt.Sprintf("ip link set PORT master %s    # of another card, in the place of %s", one.Name, slaves[len(slaves)-1]),
		})
	}
	return findings
}
