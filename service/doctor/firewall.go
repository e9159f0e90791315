package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"

	"standfast/configfs"
)

// firewall is what could be read of the rules of this host.
type firewall struct {
	nft     nftRules
	tables  map[uint8]iptablesRules // by family
	unread  []string                // what is there and could not be read
	readers int                     // programs that showed their rules
}

// readFirewall asks the programs of the host for their rules.
func (d *host) readFirewall() firewall {
	f := firewall{tables: map[uint8]iptablesRules{}}
	text, err := d.tool("nft", "-j", "list", "ruleset")
	if err == nil {
		f.nft, err = parseNft(text)
	}
	switch {
	case err == nil:
		f.readers++
	case !errors.Is(err, fs.ErrNotExist):
		f.unread = append(f.unread, "nft: "+err.Error())
	}
	for family, tool := range map[uint8]string{4: "iptables-save", 6: "ip6tables-save"} {
		text, err := d.tool(tool)
		switch {
		case err == nil:
			f.readers++
			f.tables[family] = parseIptables(text)
		case !errors.Is(err, fs.ErrNotExist):
			f.unread = append(f.unread, tool+": "+err.Error())
		}
	}
	return f
}

// filters says that the kernel has a firewall in use, as far as that can be seen
// without asking it.
func (d *host) filters() bool {
	return d.text("proc/net/ip_tables_names")+d.text("proc/net/ip6_tables_names") != "" || strings.Contains(d.text("proc/modules"), "nf_tables ")
}

// dropped says whether the rules certainly drop a packet, where, and what lets
// it pass.
func (f firewall) dropped(k packet) (where, remedy string, certain bool) {
	if chain, drops := f.nft.drop(k); drops {
		where = fmt.Sprintf("chain %s of table %s %s", chain.Name, chain.Family, chain.Table)
		if chain.Table == "firewalld" {
			return where, k.admitFirewalld(), true
		}
		return where, fmt.Sprintf("nft insert rule %s %s %s %s accept    # and in /etc/nftables.conf",
			chain.Family, chain.Table, chain.Name, k.nftMatch()), true
	}
	if key, drops := f.tables[k.family].drop(k); drops {
		where = fmt.Sprintf("chain %s of table %s", key.chain, key.table)
		if f.nft.usesFirewalld() {
			return where, k.admitFirewalld(), true
		}
		tool := map[uint8]string{4: "iptables", 6: "ip6tables"}[k.family]
		return where, fmt.Sprintf("%s -t %s -I %s %s -j ACCEPT    # and keep it: service %s save",
			tool, key.table, key.chain, k.iptablesWords(), tool), true
	}
	return "", "", false
}

func (k packet) admitFirewalld() string {
	port := k.in + k.out
	zone := "$(firewall-cmd --get-zone-of-interface=" + port + ")"
	word := "--add-protocol=vrrp"
	if k.protocol == protocolICMPv6 {
		word = "--add-protocol=ipv6-icmp"
	}
	return "firewall-cmd --permanent --zone=" + zone + " " + word + " && firewall-cmd --reload"
}

func (k packet) nftMatch() string {
	port := "iifname " + k.in
	if k.in == "" {
		port = "oifname " + k.out
	}
	return fmt.Sprintf("%s meta l4proto %d", port, k.protocol)
}

func (k packet) iptablesWords() string {
	port := "-i " + k.in
	if k.in == "" {
		port = "-o " + k.out
	}
	return fmt.Sprintf("%s -p %d", port, k.protocol)
}

// lookFirewall sends what has to pass through the rules, in thought.
func (d *host) lookFirewall(p *patient) []Finding {
	f := d.readFirewall()
	var findings []Finding
	seen := map[string]bool{}
	for _, k := range p.packets() {
		where, remedy, certain := f.dropped(k)
		if !certain || seen[k.what] {
			continue
		}
		seen[k.what] = true
		findings = append(findings, Finding{
			Severity: SeverityHazard, Check: "firewall", Subject: k.in + k.out,
			Text: fmt.Sprintf("the firewall drops %s (%s)", k.what, where), Why: k.matters(), Remedy: remedy,
		})
	}
	for _, text := range f.unread {
		findings = append(findings, Finding{
			Severity: SeverityNote, Check: "firewall", Subject: "firewall",
			Text:   "the rules of the firewall could not be read: " + text,
			Why:    "a firewall that drops protocol 112 makes two MASTERs of a pair",
			Remedy: "sudo standfast doctor",
		})
	}
	if f.readers == 0 && d.filters() {
		findings = append(findings, Finding{
			Severity: SeverityNote, Check: "firewall", Subject: "firewall",
			Text:   "this kernel filters packets, and no program here (nft, iptables-save) could show its rules",
			Why:    "a firewall that drops protocol 112 makes two MASTERs of a pair",
			Remedy: "dnf install nftables || apt-get install nftables",
		})
	}
	if len(findings) == 0 && f.readers > 0 {
		return sound("firewall", "firewall", "no rule certainly drops VRRP")
	}
	return findings
}

// matters says what follows when the packet is dropped.
func (k packet) matters() string {
	switch {
	case k.protocol == protocolICMPv6 && k.in != "":
		return "hosts that ask for the virtual address get no answer from this router as MASTER"
	case k.protocol == protocolICMPv6:
		return "this router's answers for the virtual address do not leave it: hosts cannot reach it as MASTER"
	case k.out != "":
		return "no advert leaves this router: the peer takes over beside it, and there are two MASTERs"
	}
	return "standfast hears adverts in front of the firewall; keepalived, or whatever else listens behind it, does not and would be a second MASTER"
}

// packets are those that have to pass, by what is configured.
func (p *patient) packets() []packet {
	var all []packet
	for _, i := range p.config.Instances {
		own := p.sourceOf(i)
		group := netip.AddrFrom4([4]byte{224, 0, 0, 18})
		if i.Family == 6 {
			group = netip.MustParseAddr("ff02::12")
		}
		k := packet{family: i.Family, src: own, dst: group, protocol: protocolVRRP}
		k.in, k.what = i.Interface.Name, "adverts that come to "+i.Interface.Name+" (IP protocol 112)"
		all = append(all, k)
		k.in, k.out, k.what = "", i.Interface.Name, "adverts that leave by "+i.Interface.Name+" (IP protocol 112)"
		all = append(all, k)
	}
	for _, one := range p.ports {
		for _, v := range one.vips {
			if !v.Addr().Is6() || v.Addr().Is4In6() {
				continue
			}
			k := packet{family: 6, protocol: protocolICMPv6, icmp: ndSolicit, dst: solicited(v.Addr()), in: one.Name}
			k.what = "questions for virtual addresses on " + one.Name + " (neighbour solicitations)"
			all = append(all, k)
			k.in, k.out, k.icmp, k.dst = "", one.Name, ndAdvert, netip.MustParseAddr("ff02::1")
			k.what = "answers for virtual addresses on " + one.Name + " (neighbour advertisements)"
			all = append(all, k)
		}
	}
	return all
}

// sourceOf is the subnet from which the adverts of an instance come.
func (p *patient) sourceOf(i configfs.Instance) netip.Prefix {
	for _, a := range p.states[i.Interface.Name].Addresses {
		if i.Family == 4 && a.Addr().Is4() || i.Family == 6 && a.Addr().IsLinkLocalUnicast() && a.Addr().Is6() {
			return a.Masked()
		}
	}
	return netip.Prefix{}
}
