package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// known are the survivors that somebody has looked at: by package, then by mutation, the reason why no test tells it
// from the code.
type known map[string]map[string]string

// readKnown reads the list. A line "package NAME" begins a section; in it each mutation has its line, and one or more
// of them are followed by their common reason, indented. "#" begins a comment.
func readKnown(r io.Reader) (known, error) {
	list, section, line := known{}, "", 0
	var open []string // mutations that have no reason yet
	reasoned := false
	for lines := bufio.NewScanner(r); lines.Scan(); {
		line++
		text := lines.Text()
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		if name, ok := strings.CutPrefix(text, "package "); ok {
			if len(open) > 0 && !reasoned {
				return nil, fmt.Errorf("line %d: %q has no reason; say why no test tells it from the code", line, open[0])
			}
			section, open, reasoned = name, nil, false
			list[section] = map[string]string{}
			continue
		}
		reason, indented := strings.CutPrefix(text, "\t")
		switch {
		case section == "":
			return nil, fmt.Errorf("line %d: the mutation stands above any \"package NAME\"", line)
		case indented && len(open) == 0:
			return nil, fmt.Errorf("line %d: a reason without a mutation", line)
		case indented:
			reasoned = true
			for _, m := range open {
				list[section][m] = strings.TrimSpace(list[section][m] + " " + reason)
			}
			continue
		case reasoned:
			open, reasoned = nil, false
		}
		if _, ok := list[section][text]; ok {
			return nil, fmt.Errorf("line %d: %q is listed twice", line, text)
		}
		list[section][text] = ""
		open = append(open, text)
	}
	if len(open) > 0 && !reasoned {
		return nil, fmt.Errorf("line %d: %q has no reason; say why no test tells it from the code", line, open[0])
	}
	return list, nil
}

// compare finds the survivors that are not listed, and the listed ones that are none, in the order of their text.
func (k known) compare(name string, survivors []mutation) (unlisted []mutation, stale []string) {
	alive := map[string]bool{}
	for _, m := range survivors {
		alive[m.String()] = true
		if _, ok := k[name][m.String()]; !ok {
			unlisted = append(unlisted, m)
		}
	}
	for m := range k[name] {
		if !alive[m] {
			stale = append(stale, m)
		}
	}
	slices.Sort(stale)
	return unlisted, stale
}
