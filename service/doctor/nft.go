package doctor

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// nftRuleset is what `nft -j list ruleset` prints, as far as it is read here.
type nftRuleset struct {
	Objects []struct {
		Chain *nftChain `json:"chain"`
		Rule  *nftRule  `json:"rule"`
		Set   *nftSet   `json:"set"`
	} `json:"nftables"`
}

type nftChain struct {
	Family, Table, Name string
	Type, Hook, Policy  string // empty for a chain that is only jumped to
}

type nftRule struct {
	Family, Table, Chain string
	Expr                 []map[string]json.RawMessage
}

type nftSet struct {
	Family, Table, Name string
	Elem                []json.RawMessage
}

// nftRules is a ruleset that can be asked.
type nftRules struct {
	chains []nftChain
	rules  map[nftChainKey][]nftRule
	sets   map[nftChainKey][]json.RawMessage
}

// nftChainKey names a chain, or a set.
type nftChainKey struct{ family, table, name string }

func parseNft(text string) (nftRules, error) {
	var set nftRuleset
	if err := json.Unmarshal([]byte(text), &set); err != nil {
		return nftRules{}, fmt.Errorf("what nft prints cannot be read: %w", err)
	}
	r := nftRules{rules: map[nftChainKey][]nftRule{}, sets: map[nftChainKey][]json.RawMessage{}}
	for _, o := range set.Objects {
		switch {
		case o.Chain != nil:
			r.chains = append(r.chains, *o.Chain)
		case o.Rule != nil:
			key := nftChainKey{o.Rule.Family, o.Rule.Table, o.Rule.Chain}
			r.rules[key] = append(r.rules[key], *o.Rule)
		case o.Set != nil:
			r.sets[nftChainKey{o.Set.Family, o.Set.Table, o.Set.Name}] = o.Set.Elem
		}
	}
	return r, nil
}

// translated says that a table holds rules of iptables, which only iptables can
// show whole.
func (r nftRules) translated(family, table string) bool {
	for key, rules := range r.rules {
		if key.family != family || key.table != table {
			continue
		}
		for _, one := range rules {
			if slices.ContainsFunc(one.Expr, func(e map[string]json.RawMessage) bool { return e["xt"] != nil }) {
				return true
			}
		}
	}
	return false
}

// drop finds the first base chain that certainly drops a packet.
func (r nftRules) drop(k packet) (nftChain, bool) {
	own := "ip"
	if k.family == 6 {
		own = "ip6"
	}
	for _, c := range r.chains {
		if c.Type != "filter" || c.Family != own && c.Family != "inet" || !slices.Contains(k.hooks(), c.Hook) || r.translated(c.Family, c.Table) {
			continue
		}
		policy := accepts
		if c.Policy == "drop" {
			policy = drops
		}
		if r.chain(nftChainKey{c.Family, c.Table, c.Name}, k, map[nftChainKey]fate{}).then(policy) == drops {
			return c, true
		}
	}
	return nftChain{}, false
}

// chain is what becomes of a packet in a chain; known has what became of it in others.
func (r nftRules) chain(key nftChainKey, k packet, known map[nftChainKey]fate) fate {
	return follow(known, key, r.rules[key], func(rule nftRule) fate { return r.rule(key, rule, k, known) })
}

// rule says what a rule does to a packet.
func (r nftRules) rule(key nftChainKey, rule nftRule, k packet, known map[nftChainKey]fate) fate {
	matches := yes
	for _, expr := range rule.Expr {
		for word, body := range expr {
			switch word {
			case "match":
				matches = matches.both(r.match(key, body, k))
				if matches == no {
					return continues
				}
				continue
			case "limit", "xt", "quota", "ct count", "socket", "fib":
				matches = unsure
				continue
			}
			f, decides := r.verdict(key, word, body, k, known)
			if !decides {
				continue
			}
			if matches == unsure {
				f |= continues
			}
			return f
		}
	}
	return continues
}

// verdict says where a statement sends a packet, if it is one that does.
func (r nftRules) verdict(key nftChainKey, word string, body json.RawMessage, k packet, known map[nftChainKey]fate) (fate, bool) {
	switch word {
	case "accept":
		return accepts, true
	case "drop", "reject":
		return drops, true
	case "return":
		return returns, true
	case "queue":
		return accepts | drops, true
	case "vmap":
		return r.verdictMap(key, body, k, known)
	case "jump", "goto":
		var to struct{ Target string }
		if json.Unmarshal(body, &to) != nil {
			return accepts | drops, true
		}
		f := r.chain(nftChainKey{key.family, key.table, to.Target}, k, known)
		if word == "jump" {
			f = f.then(continues)
		}
		return f, true
	}
	return 0, false
}

// verdictMap chooses a verdict by a value of the packet.
func (r nftRules) verdictMap(key nftChainKey, body json.RawMessage, k packet, known map[nftChainKey]fate) (fate, bool) {
	var m struct {
		Key  json.RawMessage
		Data struct{ Set [][2]json.RawMessage }
	}
	if json.Unmarshal(body, &m) != nil {
		return accepts | drops | continues, true // a named map
	}
	f := continues
	for _, element := range m.Data.Set {
		t := r.compare(key, m.Key, element[0], k)
		var verdict map[string]json.RawMessage
		if t == no || json.Unmarshal(element[1], &verdict) != nil {
			continue
		}
		for word, target := range verdict {
			one, _ := r.verdict(key, word, target, k, known)
			if t == yes {
				return f&^continues | one, true
			}
			f |= one
		}
	}
	return f, true
}

// match says whether a packet is as an expression wants it.
func (r nftRules) match(key nftChainKey, body json.RawMessage, k packet) truth {
	var m struct {
		Op          string
		Left, Right json.RawMessage
	}
	if json.Unmarshal(body, &m) != nil {
		return unsure
	}
	t := r.compare(key, m.Left, m.Right, k)
	switch m.Op {
	case "==", "in":
		return t
	case "!=":
		return t.not()
	}
	return unsure
}

// compare asks for equality of a part of the packet with a value, or for its
// being in a set.
func (r nftRules) compare(key nftChainKey, left, right json.RawMessage, k packet) truth {
	var word string
	if json.Unmarshal(right, &word) == nil {
		if name, named := strings.CutPrefix(word, "@"); named {
			return r.any(key, left, r.sets[nftChainKey{key.family, key.table, name}], k)
		}
		return k.nftIs(left, word)
	}
	var number json.Number
	if json.Unmarshal(right, &number) == nil {
		return k.nftIs(left, number.String())
	}
	var list []json.RawMessage
	if json.Unmarshal(right, &list) == nil {
		return r.any(key, left, list, k)
	}
	var other struct {
		Set    []json.RawMessage
		Prefix *struct {
			Addr string
			Len  int
		}
		Elem *struct{ Val json.RawMessage }
	}
	switch {
	case json.Unmarshal(right, &other) != nil:
		return unsure
	case other.Prefix != nil:
		return k.nftIs(left, other.Prefix.Addr+"/"+strconv.Itoa(other.Prefix.Len))
	case other.Elem != nil:
		return r.compare(key, left, other.Elem.Val, k)
	case other.Set != nil:
		return r.any(key, left, other.Set, k)
	}
	return unsure
}

// any is yes if one of the values is that of the packet.
func (r nftRules) any(key nftChainKey, left json.RawMessage, values []json.RawMessage, k packet) truth {
	all := no
	for _, v := range values {
		switch r.compare(key, left, v, k) {
		case yes:
			return yes
		case unsure:
			all = unsure
		case no:
		}
	}
	return all
}

// nftIs compares the part of the packet that left names with one value.
func (k packet) nftIs(left json.RawMessage, value string) truth {
	var part struct {
		Meta    *struct{ Key string }
		Ct      *struct{ Key string }
		Payload *struct{ Protocol, Field string }
	}
	if json.Unmarshal(left, &part) != nil {
		return unsure
	}
	switch {
	case part.Meta != nil:
		return k.metaIs(part.Meta.Key, value)
	case part.Ct != nil && part.Ct.Key == "state":
		return stateIs([]string{value})
	case part.Ct != nil && part.Ct.Key == "status":
		return no // neither translated nor seen before
	case part.Payload != nil:
		return k.payloadIs(part.Payload.Protocol, part.Payload.Field, value)
	}
	return unsure
}

func (k packet) metaIs(key, value string) truth {
	switch key {
	case "iifname", "iif":
		return portIs(k.in, value, "*")
	case "oifname", "oif":
		return portIs(k.out, value, "*")
	case "l4proto":
		return k.protocolIs(value)
	case "nfproto":
		return truthOf(value == map[uint8]string{4: "ipv4", 6: "ipv6"}[k.family])
	case "protocol":
		return truthOf(value == map[uint8]string{4: "ip", 6: "ip6"}[k.family])
	case "pkttype":
		return truthOf(value == "multicast" && k.dst.IsMulticast())
	}
	return unsure
}

func (k packet) payloadIs(protocol, field, value string) truth {
	switch {
	case protocol == "ip" && k.family != 4, protocol == "ip6" && k.family != 6:
		return no
	case protocol == "icmpv6" && field == "type":
		return k.typeIs(value)
	case protocol != "ip" && protocol != "ip6":
		return k.protocolIs(protocol).both(unsure)
	}
	switch field {
	case "protocol", "nexthdr":
		return k.protocolIs(value)
	case "saddr", "daddr":
		p, good := prefixOf(value)
		switch {
		case !good:
			return unsure // a range
		case field == "saddr":
			return k.sourceIn(p)
		}
		return truthOf(p.Contains(k.dst))
	}
	return unsure
}

// usesFirewalld says that the rules are firewalld's.
func (r nftRules) usesFirewalld() bool {
	return slices.ContainsFunc(r.chains, func(c nftChain) bool { return c.Table == "firewalld" })
}

// solicited is the group to which a question for an address of IPv6 goes.
func solicited(a netip.Addr) netip.Addr {
	b := a.As16()
	return netip.AddrFrom16([16]byte{0xff, 2, 11: 1, 12: 0xff, 13: b[13], 14: b[14], 15: b[15]})
}
