package main

import (
	"fmt"
	"strings"
)

// listed reads what "go test -list" prints: the targets of a package, one to a line, and then a line about the package.
func listed(text string) []target {
	var all []target
	var names []string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 1 && strings.HasPrefix(words[0], "Fuzz"):
			names = append(names, words[0])
		case len(words) > 1 && words[0] == "ok":
			for _, name := range names {
				all = append(all, target{pkg: words[1], name: name})
			}
			names = nil
		}
	}
	return all
}

// result is what fuzzing a target came to.
type result struct {
	executions int64
	fresh      int64  // inputs that reached new code
	failure    string // what the target said as it failed; empty if it did not
}

// read reads what "go test -fuzz" prints: a line every three seconds, of which the last counts, and at a failure what the target
// said of it.
func read(text string) result {
	var r result
	var failure strings.Builder
	failing := false
	for line := range strings.Lines(text) {
		if counts, ok := strings.CutPrefix(line, "fuzz: elapsed: "); ok {
			_, counts, _ = strings.Cut(counts, ", ")
			var rate string
			if _, err := fmt.Sscanf(counts, "execs: %d %s new interesting: %d", &r.executions, &rate, &r.fresh); err == nil {
				continue
			}
		}
		failing = failing || strings.HasPrefix(line, "--- FAIL")
		if failing && strings.HasPrefix(line, " ") {
			failure.WriteString(line)
		}
	}
	r.failure = strings.TrimRight(failure.String(), " \n")
	if failing && r.failure == "" {
		r.failure = "    it says nothing"
	}
	return r
}

// covered reads a coverage profile: the blocks that were reached.
func covered(profile string) map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(profile) {
		block, count, ok := strings.Cut(strings.TrimSpace(line), " ") // file:from,to statements count
		if ok && !strings.HasSuffix(count, " 0") && strings.Contains(block, ":") && block != "mode:" {
			all[block] = true
		}
	}
	return all
}
