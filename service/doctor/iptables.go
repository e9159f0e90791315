package doctor

import (
	"slices"
	"strings"
)

// iptablesRules is what iptables-save prints, as far as it is read here.
type iptablesRules struct {
	policies map[tableChain]string     // of built-in chains
	rules    map[tableChain][][]string // the words of each rule behind "-A CHAIN"
}

type tableChain struct{ table, chain string }

func parseIptables(text string) iptablesRules {
	r := iptablesRules{policies: map[tableChain]string{}, rules: map[tableChain][][]string{}}
	table := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "*"):
			table = line[1:]
		case strings.HasPrefix(line, ":"):
			if f := strings.Fields(line[1:]); len(f) > 1 && f[1] != "-" {
				r.policies[tableChain{table, f[0]}] = f[1]
			}
		case strings.HasPrefix(line, "-A "):
			words := quotedFields(line)
			if len(words) > 2 {
				key := tableChain{table, words[1]}
				r.rules[key] = append(r.rules[key], words[2:])
			}
		}
	}
	return r
}

// quotedFields splits a line at blanks outside of double quotes.
func quotedFields(line string) []string {
	quoted := false
	fields := strings.FieldsFunc(line, func(c rune) bool {
		if c == '"' {
			quoted = !quoted
		}
		return !quoted && c == ' '
	})
	return fields
}

// drop finds the first built-in chain that certainly drops a packet.
func (r iptablesRules) drop(k packet) (tableChain, bool) {
	for _, table := range []string{"raw", "mangle", "filter"} {
		for _, hook := range k.hooks() {
			key := tableChain{table, strings.ToUpper(hook)}
			word, there := r.policies[key]
			if !there {
				continue
			}
			policy := accepts
			if word == "DROP" {
				policy = drops
			}
			if r.chain(key, k, map[tableChain]fate{}).then(policy) == drops {
				return key, true
			}
		}
	}
	return tableChain{}, false
}

// chain is what becomes of a packet in a chain; known has what became of it in others.
func (r iptablesRules) chain(key tableChain, k packet, known map[tableChain]fate) fate {
	return follow(known, key, r.rules[key], func(words []string) fate { return r.rule(key.table, words, k, known) })
}

// rule says what a rule does to a packet.
func (r iptablesRules) rule(table string, words []string, k packet, known map[tableChain]fate) fate {
	matches, target, whole := k.iptablesMatch(words)
	if matches == no {
		return continues
	}
	f := r.target(table, target, whole, k, known)
	if matches == unsure {
		f |= continues
	}
	return f
}

// target says what a target does to a packet; whole is a goto, from which the
// chain does not come back.
func (r iptablesRules) target(table, target string, whole bool, k packet, known map[tableChain]fate) fate {
	switch target {
	case "ACCEPT":
		return accepts
	case "DROP", "REJECT":
		return drops
	case "RETURN":
		return returns
	case "", "LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "TRACE", "AUDIT", "SECMARK", "CONNSECMARK", "TOS", "DSCP", "TTL", "HL", "CT", "NOTRACK", "SET":
		return continues
	case "QUEUE", "NFQUEUE", "TPROXY", "SYNPROXY":
		return accepts | drops
	}
	f := r.chain(tableChain{table, target}, k, known)
	if !whole {
		f = f.then(continues)
	}
	return f
}

// iptablesMatch reads the words of a rule: does the packet match, and where to then.
func (k packet) iptablesMatch(words []string) (matches truth, target string, whole bool) {
	matches = yes
	negated := false
	for at := 0; at < len(words); at++ {
		word, value := words[at], ""
		if at+1 < len(words) {
			value = words[at+1]
		}
		switch word {
		case "!":
			negated = true
			continue
		case "-j", "-g":
			return matches, value, word == "-g" // what follows are the target's own options
		}
		if strings.HasPrefix(word, "-") {
			t := k.iptablesIs(word, value)
			if negated {
				t = t.not()
			}
			matches, negated = matches.both(t), false
		}
	}
	return matches, "", false
}

// iptablesIs says whether the packet is as one option wants it.
func (k packet) iptablesIs(option, value string) truth {
	switch option {
	case "-m":
		if slices.Contains([]string{"statistic", "u32", "bpf", "time", "recent"}, value) {
			return unsure
		}
		return yes // its options decide
	case "--comment", "--limit-burst":
		return yes
	case "-i":
		return portIs(k.in, value, "+")
	case "-o":
		return portIs(k.out, value, "+")
	case "-p":
		return k.protocolIs(value)
	case "--state", "--ctstate":
		return stateIs(strings.Split(value, ","))
	case "--icmpv6-type":
		return k.typeIs(value)
	case "--pkt-type":
		return truthOf(value == "multicast" && k.dst.IsMulticast())
	case "--dst-type":
		return truthOf(slices.Contains(strings.Split(value, ","), "MULTICAST") && k.dst.IsMulticast())
	case "-s", "-d":
		p, good := prefixOf(value)
		switch {
		case !good:
			return unsure // a mask with holes
		case option == "-s":
			return k.sourceIn(p)
		}
		return truthOf(p.Contains(k.dst))
	}
	return unsure
}
