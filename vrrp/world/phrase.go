package world

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How a fault is told. A phrase of the menu is words, some of which are holders for what
// the fault is about; formatting fills them in, parsing reads them back. What a phrase does
// not mention means nothing to its kind and is zero. A bar ends what is told when the fault
// is over.
//
//	{R} {to}   a router, and another
//	{P}        a port
//	{S}        a segment
//	{island}   a router, or a router with the gateway of the segment
//	{n}        a number
//	{ms} {s}   a number of milliseconds or seconds
//	{for}      how long

var segmentNames = [numSegments]string{"crossover", "lan10", "lan20", "wan"}

// phraseOf is the phrase of a kind, in words.
func phraseOf(k Kind) []string { return strings.Fields(strings.Replace(menu[k].told, "|", "", 1)) }

// String is the fault as a story tells it, without its time.
func (f Fault) String() string { return f.fill(phraseOf(f.Kind)) }

// subject is what is told of it when it is over.
func (f Fault) subject() string {
	subject, _, barred := strings.Cut(menu[f.Kind].told, "|")
	if !barred {
		subject = strings.TrimSuffix(subject, " for {for}")
	}
	return f.fill(strings.Fields(subject))
}

func (f Fault) fill(words []string) string {
	for k, word := range words {
		if holder, before, after, ok := holderOf(word); ok {
			words[k] = before + f.show(holder) + after
		}
	}
	return strings.Join(words, " ")
}

// holderOf takes a word of a phrase apart, if there is a holder in it.
func holderOf(word string) (holder, before, after string, ok bool) {
	before, rest, ok := strings.Cut(word, "{")
	if !ok {
		return "", "", "", false
	}
	holder, after, ok = strings.Cut(rest, "}")
	return holder, before, after, ok
}

func (f Fault) show(holder string) string {
	switch holder {
	case "R":
		return routerNames[f.Router]
	case "to":
		return routerNames[f.N]
	case "P":
		return string(portNames[f.Segment])
	case "S":
		return segmentNames[f.Segment]
	case "island":
		if f.N > 0 {
			return routerNames[f.Router] + withGateway
		}
		return routerNames[f.Router]
	case "n":
		return strconv.Itoa(f.N)
	case "ms":
		return text(time.Duration(f.N) * time.Millisecond)
	case "s":
		return text(time.Duration(f.N) * time.Second)
	}
	return text(f.For)
}

const withGateway = "+gateway"

// set reads a holder back. What it answers is what was expected instead, if anything.
func (f *Fault) set(holder, word string) (expected string) {
	var ok bool
	switch holder {
	case "R":
		f.Router, ok = indexOf(routerNames[:], word)
		expected = "a router: " + strings.Join(routerNames[:], ", ")
	case "to":
		f.N, ok = indexOf(routerNames[:], word)
		ok = ok && f.N != f.Router
		expected = "another router"
	case "P":
		f.Segment, ok = indexOf(portNames[:], word)
		expected = fmt.Sprintf("a port: %v", portNames)
	case "S":
		f.Segment, ok = indexOf(segmentNames[:], word)
		ok = ok && f.Segment != heartbeat
		expected = "a segment: " + strings.Join(segmentNames[lan10:], ", ")
	case "island":
		name, with := strings.CutSuffix(word, withGateway)
		f.Router, ok = indexOf(routerNames[:], name)
		if with {
			f.N = 1
		}
		expected = "a router, or a router" + withGateway
	case "n":
		n, err := strconv.ParseUint(word, 10, 16)
		f.N, ok = int(n), err == nil
		expected = "a number up to 65535"
	case "ms":
		f.N, ok = times(word, time.Millisecond)
		expected = "a duration in whole milliseconds"
	case "s":
		f.N, ok = times(word, time.Second)
		expected = "a duration in whole seconds"
	case "for":
		f.For, ok = parseDuration(word)
		expected = "a duration such as 3.2s"
	}
	if ok {
		return ""
	}
	return expected
}

func indexOf[S ~string](names []S, word string) (int, bool) {
	k := slices.Index(names, S(word))
	return max(k, 0), k >= 0
}

// times reads a duration that is a multiple of a unit.
func times(word string, unit time.Duration) (int, bool) {
	d, ok := parseDuration(word)
	return int(d / unit), ok && d%unit == 0
}

// canonical is the fault with nothing but what its phrase mentions.
func (f Fault) canonical() Fault {
	c := Fault{At: f.At, Kind: f.Kind}
	for _, word := range phraseOf(f.Kind) {
		holder, _, _, _ := holderOf(word)
		switch holder {
		case "R":
			c.Router = f.Router
		case "P", "S":
			c.Segment = f.Segment
		case "island":
			c.Router, c.N = f.Router, f.N
		case "to", "n", "ms", "s":
			c.N = f.N
		case "for":
			c.For = f.For
		}
	}
	return c
}

// parseFault reads what String wrote. If no phrase fits, the error tells of the one of
// which most words do.
func parseFault(line string) (Fault, error) {
	words := strings.Fields(line)
	most, complaint := -1, ""
	for kind := range NumKinds {
		f, fits, expected := readPhrase(kind, words)
		if expected == "" {
			return f, nil
		}
		if fits > most {
			most, complaint = fits, expected
		}
	}
	return Fault{}, fmt.Errorf("not a fault: %s", complaint)
}

// readPhrase reads words as the phrase of one kind: how many fit, and what was expected
// where the first does not.
func readPhrase(kind Kind, words []string) (f Fault, fits int, expected string) {
	f.Kind = kind
	phrase := phraseOf(kind)
	complain := func(format string, args ...any) {
		if expected == "" {
			expected = fmt.Sprintf(format, args...) + fmt.Sprintf(" as in %q", strings.Join(phrase, " "))
		}
	}
	for k, word := range phrase[:min(len(phrase), len(words))] {
		if want := f.fit(word, words[k]); want != "" {
			complain("%q: expected %s", words[k], want)
			continue
		}
		fits++
	}
	switch {
	case len(words) < len(phrase):
		complain("it ends too early, expected %q", phrase[len(words)])
	case len(words) > len(phrase):
		complain("%q: expected nothing more", words[len(phrase)])
	}
	return f, fits, expected
}

// fit reads one word, and answers what was expected instead, if anything.
func (f *Fault) fit(phrase, word string) (expected string) {
	holder, before, after, ok := holderOf(phrase)
	switch {
	case !ok && word == phrase:
		return ""
	case !ok, len(word) < len(before)+len(after), !strings.HasPrefix(word, before), !strings.HasSuffix(word, after):
		return strconv.Quote(phrase)
	}
	return f.set(holder, word[len(before):len(word)-len(after)])
}
