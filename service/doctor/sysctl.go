package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"standfast/configfs"
)

// combination is how the kernel makes one value of that of a port and that of
// "all".
type combination uint8

const (
	ownValue combination = iota // the port's alone
	greatest                    // the greater of the two
	either                      // set in one of the two
)

// portSetting is a setting of IPv4 that a port has.
type portSetting struct {
	key     string
	combine combination
}

// portSettings are those that matter here.
//
//   - rp_filter 1 drops traffic that would be answered by another port. Adverts
//     are heard all the same, before it.
//   - arp_ignore decides for which addresses the kernel answers, and thereby
//     whether a question for a virtual address is answered at all.
//   - arp_announce decides with which address the kernel itself asks.
//   - arp_filter makes the answer depend on the route back to who asked.
//   - promote_secondaries keeps the other addresses of a subnet when the first
//     one goes, as a virtual address does.
//   - proxy_arp answers for addresses behind other ports, virtual ones included.
//   - forwarding is what a router is for.
//   - accept_local is shown because operators change it together with rp_filter;
//     nothing here depends on it.
var portSettings = [...]portSetting{
	{"rp_filter", greatest}, {"arp_ignore", greatest}, {"arp_announce", greatest}, {"arp_filter", either},
	{"promote_secondaries", either}, {"proxy_arp", either}, {"accept_local", either}, {"forwarding", ownValue},
}

// portSysctls reads the settings of a port as the kernel applies them; what
// cannot be read is left out.
func (d *host) portSysctls(name string) map[string]int {
	values := map[string]int{}
	for _, s := range portSettings {
		own, known := d.number("proc/sys/net/ipv4/conf/" + name + "/" + s.key)
		if !known {
			continue
		}
		all, _ := d.number("proc/sys/net/ipv4/conf/all/" + s.key)
		switch s.combine {
		case greatest:
			own = max(own, all)
		case either:
			own = min(1, max(own, all))
		case ownValue:
		}
		values[s.key] = own
	}
	return values
}

// sysctlRule is one thing that may be wrong with a setting of ports.
type sysctlRule struct {
	check    string
	key      string
	severity func(p *patient) Severity
	bad      func(p *patient, port patientPort, value int) bool
	want     int
	anywhere bool   // the value hurts no other port, so that it may be that of "all"
	text     string // with the ports in the place of %s
	why      string
}

// lookSysctls looks at the settings of IPv4.
func (d *host) lookSysctls(p *patient) []Finding {
	var findings []Finding
	for _, r := range sysctlRules() {
		bad := p.where(func(one patientPort) bool {
			value, known := one.Sysctls[r.key]
			return known && r.bad(p, one, value)
		})
		if len(bad) == 0 {
			findings = append(findings, sound(r.check, "IPv4", r.key+" is well")...)
			continue
		}
		findings = append(findings, Finding{
			Severity: r.severity(p), Check: r.check, Subject: names(bad),
			Text: fmt.Sprintf(r.text, names(bad)), Why: r.why, Remedy: d.remedy(r, bad),
		})
	}
	return append(append(findings, d.lookForwarding(p)...), d.lookNonlocalBind(p)...)
}

// remedy gives the lines that set what a rule wants.
func (d *host) remedy(r sysctlRule, ports []patientPort) string {
	if r.anywhere && len(ports) > 1 {
		return setLine("net.ipv4.conf.all."+r.key, r.want)
	}
	return d.setPorts(r.key, ports, r.want)
}

// setPorts gives the lines that set a key on ports, and keep it over a boot. A
// value of "all" that is too high for a port is lowered as well.
func (d *host) setPorts(key string, ports []patientPort, want int) string {
	var lines []string
	if all, _ := d.number("proc/sys/net/ipv4/conf/all/" + key); all > want {
		lines = append(lines, setLine("net.ipv4.conf.all."+key, want))
	}
	for _, one := range ports {
		if own, _ := d.number("proc/sys/net/ipv4/conf/" + one.Name + "/" + key); own != want {
			lines = append(lines, setLine(sysctlName("ipv4", one.Name, key), want))
		}
	}
	return strings.Join(lines, "\n")
}

// setLine sets a key now, and at every boot: sysctl prints what it set in the
// form of its own files.
func setLine(key string, want int) string {
	return fmt.Sprintf("sysctl -w %s=%d | tee -a /etc/sysctl.d/90-standfast.conf", key, want)
}

// sysctlName is the name of a port's setting. Dots in the name of a port need
// slashes around it.
func sysctlName(family, port, key string) string {
	if strings.Contains(port, ".") {
		return "net/" + family + "/conf/" + port + "/" + key
	}
	return "net." + family + ".conf." + port + "." + key
}

func always(s Severity) func(*patient) Severity { return func(*patient) Severity { return s } }

// sysctlRules are the rules, in the order in which they are told.
func sysctlRules() []sysctlRule {
	return []sysctlRule{
		{
			check: "rp_filter", key: "rp_filter", want: 2,
			severity: func(p *patient) Severity {
				if p.policyRoutes() {
					return SeverityHazard
				}
				return SeverityNote
			},
			bad:  func(_ *patient, one patientPort, v int) bool { return v == 1 && one.serving() && one.has(4) },
			text: "rp_filter is strict on %s",
			why: "the kernel drops what comes in by another port than the answer would leave by; with routes in several tables, " +
				"or while one router sends and the other receives, that is good traffic (adverts are heard all the same)",
		},
		{
			check: "arp_ignore", key: "arp_ignore", want: 1, severity: always(SeverityHazard), bad: silencedByIgnore,
			text: "arp_ignore keeps %s from answering for its virtual addresses",
			why:  "as MASTER this router answers no ARP for them: hosts cannot reach it, and the peer takes it for dead",
		},
		{
			check: "arp_flux", key: "arp_ignore", want: 1, severity: always(SeverityHazard),
			bad: func(p *patient, one patientPort, v int) bool {
				return v == 0 && p.sharesSubnet(one)
			},
			text: "%s are in one subnet and arp_ignore is 0",
			why:  "each port answers ARP for the addresses of the other, so hosts and the peer learn the wrong one",
		},
		{
			check: "arp_filter", key: "arp_filter", want: 0, severity: always(SeverityHazard),
			bad:  func(_ *patient, one patientPort, v int) bool { return v != 0 && one.serving() && one.has(4) },
			text: "arp_filter is on for %s",
			why: "the kernel answers for a virtual address only whom it would route back by the same port, which right after " +
				"a takeover is not everybody who asks, and the peer may take the silence for a death",
		},
		{
			check: "arp_announce", key: "arp_announce", want: 2, anywhere: true, severity: always(SeverityNote),
			bad: func(p *patient, one patientPort, v int) bool {
				return v == 0 && one.has(4) && len(p.where(func(o patientPort) bool { return o.has(4) })) > 1
			},
			text: "arp_announce is 0 on %s",
			why: "the kernel may ask for its neighbours with a virtual address of another segment as the sender, which " +
				"gateways ignore, or learn wrongly",
		},
		{
			check: "proxy_arp", key: "proxy_arp", want: 0, severity: always(SeverityHazard),
			bad:  func(_ *patient, one patientPort, v int) bool { return v != 0 && one.serving() && one.has(4) },
			text: "proxy_arp is on for %s",
			why:  "as BACKUP this router answers ARP for the virtual addresses that it reaches by another port, and draws their traffic",
		},
		{
			check: "promote_secondaries", key: "promote_secondaries", want: 1, anywhere: true, severity: always(SeverityHazard),
			bad:  func(_ *patient, one patientPort, v int) bool { return v == 0 && one.crowded() },
			text: "promote_secondaries is off on %s, which has several addresses of one subnet",
			why: "when the first address of a subnet goes, by a reload or as its lease ends, the kernel removes all others of that " +
				"subnet without a word",
		},
	}
}

// silencedByIgnore says that arp_ignore keeps a port from answering for one of
// its virtual addresses: 8 always, 2 where no address on the port has the
// asker's subnet, as with a mask of 32 bits.
func silencedByIgnore(_ *patient, one patientPort, value int) bool {
	return slices.ContainsFunc(one.vips, func(v netip.Prefix) bool {
		if !v.Addr().Is4() {
			return false
		}
		covered := !v.IsSingleIP() || slices.ContainsFunc(one.state.Addresses, func(a netip.Prefix) bool {
			return !a.IsSingleIP() && a.Contains(v.Addr())
		})
		return value == 8 || value == 2 && !covered
	})
}

// policyRoutes says that virtual routes live in several tables.
func (p *patient) policyRoutes() bool {
	for _, i := range p.config.Instances {
		for _, r := range i.Routes {
			if r.Table != mainTable {
				return true
			}
		}
	}
	return false
}

const mainTable = 254

// subnets are the subnets of IPv4 on a port, with its virtual addresses.
func (p patientPort) subnets() []netip.Prefix {
	var all []netip.Prefix
	for _, a := range slices.Concat(p.state.Addresses, p.vips) {
		if a.Addr().Is4() && !a.IsSingleIP() {
			all = append(all, a.Masked())
		}
	}
	return all
}

// sharesSubnet says that another configured port is in a subnet of this one.
func (p *patient) sharesSubnet(one patientPort) bool {
	return slices.ContainsFunc(p.ports, func(other patientPort) bool {
		return other.Name != one.Name && slices.ContainsFunc(other.subnets(), func(s netip.Prefix) bool {
			return slices.Contains(one.subnets(), s)
		})
	})
}

// crowded says that a virtual address shares its subnet with another address on
// the same port.
func (p patientPort) crowded() bool {
	seen := map[netip.Prefix]netip.Addr{}
	for _, a := range slices.Concat(p.vips, p.state.Addresses) {
		if !a.Addr().Is4() || a.IsSingleIP() {
			continue
		}
		if other, ok := seen[a.Masked()]; ok && other != a.Addr() {
			return true
		}
		seen[a.Masked()] = a.Addr()
	}
	return false
}

// lookForwarding wants a router to forward. A host that only offers services of
// its own under a virtual address need not.
func (d *host) lookForwarding(p *patient) []Finding {
	if !p.routes() {
		return sound("forwarding", "IPv4", "nothing is to be forwarded")
	}
	closed := p.where(func(one patientPort) bool {
		v, known := one.Sysctls["forwarding"]
		return known && v == 0 && one.serving() && one.has(4)
	})
	if len(closed) == 0 {
		return sound("forwarding", "IPv4", "forwarding is on")
	}
	remedy := setLine("net.ipv4.ip_forward", 1)
	if v, known := d.number("proc/sys/net/ipv4/ip_forward"); known && v != 0 {
		remedy = d.setPorts("forwarding", closed, 1)
	}
	return []Finding{{
		Severity: SeverityHazard, Check: "forwarding", Subject: names(closed),
		Text:   "forwarding of IPv4 is off on " + names(closed),
		Why:    "as MASTER this router answers for the virtual addresses and throws away whatever is sent through it",
		Remedy: remedy,
	}}
}

// routes says that the configuration is that of a router: it has virtual routes,
// or virtual addresses on several ports.
func (p *patient) routes() bool {
	for _, i := range p.config.Instances {
		if len(i.Routes) > 0 {
			return true
		}
	}
	return len(p.where(func(one patientPort) bool { return len(one.vips) > 0 })) > 1
}

// lookNonlocalBind looks for services that are bound to a virtual address: as
// BACKUP they could not be started without ip_nonlocal_bind.
func (d *host) lookNonlocalBind(p *patient) []Finding {
	if v, known := d.number("proc/sys/net/ipv4/ip_nonlocal_bind"); !known || v != 0 {
		return sound("nonlocal_bind", "IPv4", "services may be bound to addresses that are not here")
	}
	var bound []string
	for _, file := range []string{"tcp", "udp"} {
		for _, s := range listening(d.text("proc/net/"+file), file == "tcp") {
			if p.virtual(s.Addr()) {
				bound = append(bound, file+" "+s.String())
			}
		}
	}
	if len(bound) == 0 {
		return sound("nonlocal_bind", "IPv4", "no service is bound to a virtual address alone")
	}
	slices.Sort(bound)
	return []Finding{{
		Severity: SeverityNote, Check: "nonlocal_bind", Subject: strings.Join(bound, ", "),
		Text:   "a service is bound to a virtual address (" + strings.Join(slices.Compact(bound), ", ") + ") and ip_nonlocal_bind is off",
		Why:    "on the router that is BACKUP the same service cannot be started, and is not there after a takeover",
		Remedy: setLine("net.ipv4.ip_nonlocal_bind", 1),
	}}
}

// virtual says that an address is a virtual one here.
func (p *patient) virtual(a netip.Addr) bool {
	return len(p.where(func(one patientPort) bool {
		return slices.ContainsFunc(one.vips, func(v netip.Prefix) bool { return v.Addr() == a })
	})) > 0
}

// listening reads the local ends of sockets from /proc/net/tcp or udp: of TCP
// those that listen. The kernel writes addresses in its own byte order.
func listening(table string, tcp bool) []netip.AddrPort {
	const listens = "0A"
	var all []netip.AddrPort
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 4 || tcp && f[3] != listens {
			continue
		}
		host, service, found := strings.Cut(f[1], ":")
		address, err := strconv.ParseUint(host, 16, 32)
		number, err2 := strconv.ParseUint(service, 16, 16)
		if !found || err != nil || err2 != nil {
			continue
		}
		a := netip.AddrFrom4([4]byte{byte(address), byte(address >> 8), byte(address >> 16), byte(address >> 24)})
		all = append(all, netip.AddrPortFrom(a, uint16(number)))
	}
	return all
}

// lookIPv6 looks at the settings of IPv6, where any of it is used.
func (d *host) lookIPv6(p *patient) []Finding {
	type rule struct {
		check, key string
		bad        func(v int) bool
		want       int
		applies    func(one patientPort) bool
		text, why  string
	}
	speaks := func(one patientPort) bool { return one.has(6) || one.heartbeat() && p.speaks6(one.Name) }
	forwards := func(one patientPort) bool {
		v, _ := d.number("proc/sys/net/ipv6/conf/" + one.Name + "/forwarding")
		return v != 0
	}
	var findings []Finding
	for _, r := range []rule{
		{"disable_ipv6", "disable_ipv6", func(v int) bool { return v != 0 }, 0, speaks, "IPv6 is switched off on %s",
			"neither adverts nor virtual addresses of IPv6 are possible there"},
		{"accept_dad", "accept_dad", func(v int) bool { return v == 2 }, 1, speaks, "accept_dad is 2 on %s",
			"one duplicate of the port's own link-local address, as after a loop in the switch, switches IPv6 off there until somebody switches it on"},
		{"accept_ra", "accept_ra", func(v int) bool { return v == 2 }, 0, speaks, "accept_ra is 2 on %s",
			"the router takes default routes from other routers, the peer among them, beside its virtual routes"},
		{"accept_ra", "accept_ra", func(v int) bool { return v == 1 }, 0,
			func(one patientPort) bool { return speaks(one) && !forwards(one) }, "accept_ra is 1 on %s, which does not forward",
			"the host takes default routes from other routers, the peer among them, beside its virtual routes"},
		{"forwarding6", "forwarding", func(v int) bool { return v == 0 }, 1,
			func(one patientPort) bool { return one.has(6) && one.serving() && p.routes() }, "forwarding of IPv6 is off on %s",
			"as MASTER this router throws away whatever is sent through it, and its neighbour advertisements say that it is no router"},
	} {
		bad := p.where(func(one patientPort) bool {
			v, known := d.number("proc/sys/net/ipv6/conf/" + one.Name + "/" + r.key)
			return known && r.applies(one) && r.bad(v)
		})
		if len(bad) == 0 {
			continue
		}
		var lines []string
		for _, one := range bad {
			lines = append(lines, setLine(sysctlName("ipv6", one.Name, r.key), r.want))
		}
		findings = append(findings, Finding{
			Severity: SeverityHazard, Check: r.check, Subject: names(bad), Text: fmt.Sprintf(r.text, names(bad)), Why: r.why,
			Remedy: strings.Join(lines, "\n"),
		})
	}
	if len(findings) == 0 {
		return sound("ipv6", "IPv6", "the settings of IPv6 are well")
	}
	return findings
}

// speaks6 says that adverts of IPv6 go to a port.
func (p *patient) speaks6(name string) bool {
	return slices.ContainsFunc(p.config.Instances, func(i configfs.Instance) bool { return i.Interface.Name == name && i.Family == 6 })
}
