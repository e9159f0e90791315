package doctor

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A firewall is judged by what it does to packets that matter here. What a rule
// asks for and the packet leaves open makes the outcome a set of more than one;
// only what is certain becomes a finding.

// fate is a set of what may become of a packet in a rule or a chain.
type fate uint8

const (
	accepts   fate = 1 << iota // let through by this chain
	drops                      // dropped or rejected
	returns                    // back to the chain that jumped here
	continues                  // on to the next rule
)

// then is the fate of a packet that meets next where it would return.
func (f fate) then(next fate) fate {
	if f&returns != 0 {
		f = f&^returns | next
	}
	return f
}

// follow has a packet go through the rules of a chain; its end is a return. Each
// chain is gone through once: known has what came of it, and while it is gone through
// that nothing is known, so that a circle, which the kernel refuses, ends too.
func follow[Chain comparable, Rule any](known map[Chain]fate, chain Chain, rules []Rule, apply func(Rule) fate) fate {
	if f, ok := known[chain]; ok {
		return f
	}
	known[chain] = accepts | drops
	f, end := fate(0), returns
	for _, rule := range rules {
		one := apply(rule)
		f |= one &^ continues
		if one&continues == 0 {
			end = 0
			break
		}
	}
	known[chain] = f | end
	return f | end
}

// truth says whether a packet matches; unsure is the zero value.
type truth uint8

const (
	unsure truth = iota
	no
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) not() truth {
	switch t {
	case yes:
		return no
	case no:
		return yes
	case unsure:
	}
	return unsure
}

// both is yes only if both are.
func (t truth) both(o truth) truth {
	switch {
	case t == no || o == no:
		return no
	case t == yes && o == yes:
		return yes
	}
	return unsure
}

// packet is one that has to pass. It opens its own entry in the connection
// table, as a packet to a group does each time.
type packet struct {
	what     string // completes "the firewall drops …"
	family   uint8  // 4 or 6
	in, out  string // the port by which it comes, or goes; the other is empty
	src      netip.Prefix
	dst      netip.Addr
	protocol uint8
	icmp     uint8 // its type, of ICMPv6
}

// Protocols and messages that matter here.
const (
	protocolVRRP   = 112
	protocolICMPv6 = 58
	ndSolicit      = 135
	ndAdvert       = 136
)

// hooks are those of a firewall that the packet passes.
func (k packet) hooks() []string {
	if k.in != "" {
		return []string{"prerouting", "input"}
	}
	return []string{"output", "postrouting"}
}

// protocolIs says whether the packet is of a protocol by name or number.
func (k packet) protocolIs(word string) truth {
	switch word {
	case "vrrp":
		return truthOf(k.protocol == protocolVRRP)
	case "ipv6-icmp", "icmpv6":
		return truthOf(k.protocol == protocolICMPv6)
	case "all", "0":
		return yes
	}
	if n, err := strconv.ParseUint(word, 10, 8); err == nil {
		return truthOf(uint8(n) == k.protocol)
	}
	return no // the name of another
}

// portIs compares with the name of a port, in which a last wild stands for any rest.
func portIs(name, pattern, wild string) truth {
	if prefix, any := strings.CutSuffix(pattern, wild); any {
		return truthOf(name != "" && strings.HasPrefix(name, prefix))
	}
	return truthOf(name == pattern)
}

// sourceIn says whether the packet comes from a prefix, as far as its source is known.
func (k packet) sourceIn(p netip.Prefix) truth {
	switch {
	case !k.src.IsValid():
		return unsure
	case p.Addr().Is4() != k.src.Addr().Is4():
		return no
	case p.Bits() <= k.src.Bits() && p.Contains(k.src.Addr()):
		return yes
	case p.Overlaps(k.src):
		return unsure
	}
	return no
}

// typeIs compares with a type of ICMPv6 by name or number.
func (k packet) typeIs(word string) truth {
	if k.protocol != protocolICMPv6 {
		return no
	}
	switch word {
	case "nd-neighbor-solicit", "neighbour-solicitation", "neighbor-solicitation":
		return truthOf(k.icmp == ndSolicit)
	case "nd-neighbor-advert", "neighbour-advertisement", "neighbor-advertisement":
		return truthOf(k.icmp == ndAdvert)
	}
	if n, err := strconv.ParseUint(word, 10, 8); err == nil {
		return truthOf(uint8(n) == k.icmp)
	}
	return no
}

// stateIs compares with states of a connection; the packet begins one.
func stateIs(words []string) truth {
	switch {
	case slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, "new") }):
		return yes
	case slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, "untracked") }):
		return unsure
	}
	return no
}

// prefixOf reads an address with or without a length.
func prefixOf(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p, true
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}
