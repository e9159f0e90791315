// Command mutate asks of the tests whether they would notice: it changes the packages that think in small ways, one at a
// time, and counts the changes that no test fails for. It also applies the deliberate defects to the simulated world, each of
// which an invariant has to name.
//
// A package is rewritten once, with every mutation in it behind a switch (schema.go), and its tests are compiled once; they
// are then run for each mutation, those that reach it, the quick ones first (trial.go). Survivors are listed with a reason
// in testdata/survivors.txt; one that is not listed makes the command fail, and a listed one that no longer survives is told.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// survivors is where the survivors are listed, from the root of the tree, and defects where the deliberate ones are.
const (
	survivors = "service/lab/mutate/testdata/survivors.txt"
	defects   = "vrrp/world/testdata/defects"
)

// longestSuite is what the tests of a package may take, so that there is patience for all of its mutations.
const longestSuite = 2 * time.Second

func main() { os.Exit(run(os.Args[1:], os.Stdout)) }

func run(args []string, out io.Writer) int {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: mutate [vrrp|vrrp/verdict|vrrp/node|FILE|defects]...\nWithout a name: all of them. FILE, such as vrrp/node/ask.go, is that part of its package.")
	}
	switch err := flags.Parse(args); err {
	case nil:
	case flag.ErrHelp:
		return 0
	default:
		return 2
	}
	names := flags.Args()
	if len(names) == 0 {
		names = []string{"vrrp", "vrrp/verdict", "vrrp/node", "defects"}
	}
	bad := 0
	for _, name := range names {
		do := packageMutations
		if name == "defects" {
			do = everyDefect
		}
		ok, err := do(name, out)
		if err != nil {
			fmt.Fprintln(os.Stderr, "mutate:", err)
		}
		if err != nil || !ok {
			bad = 1
		}
	}
	return bad
}

// report is what was found out about one package.
type report struct {
	name      string
	outcomes  map[outcome]int
	excluded  int
	survivors []mutation
	suite     time.Duration
	took      time.Duration
}

// packageMutations tries all mutations of a package and says whether it is as it should be. Survivors that are not listed
// are told as they turn up.
func packageMutations(name string, out io.Writer) (bool, error) {
	listed, err := readSurvivors()
	if err != nil {
		return false, err
	}
	folder, base := name, ""
	if filepath.Ext(name) == ".go" {
		folder, base = filepath.Split(filepath.Clean(name))
		folder = filepath.Clean(folder)
	}
	r, err := examine(folder, base, func(m mutation, done, all int) {
		if _, ok := listed[folder][m.String()]; !ok {
			fmt.Fprintf(out, "survives, mutation %d of %d, %s:%d:\n%v\n", done, all, filepath.Base(m.at.Filename), m.at.Line, m)
		}
	})
	if err != nil {
		return false, err
	}
	unlisted, stale := listed.compare(folder, r.survivors)
	if base != "" {
		stale = nil // the other files were not looked at
	}
	for _, m := range stale {
		fmt.Fprintf(out, "stale in %s, it survives no more:\n%s\n", survivors, m)
	}
	if r.suite > longestSuite {
		fmt.Fprintf(out, "the tests of %s take %v, more than %v: give them a lighter form under -short\n", name, r.suite, longestSuite)
	}
	r.write(out)
	return len(unlisted) == 0 && r.suite <= longestSuite, nil
}

func readSurvivors() (known, error) {
	text, err := os.Open(survivors)
	if err != nil {
		return nil, err
	}
	defer text.Close()
	listed, err := readKnown(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", survivors, err)
	}
	return listed, nil
}

// examine tries all mutations of a package, or of one of its files, and tells of every one that survives.
func examine(name, base string, tell func(m mutation, done, all int)) (report, error) {
	begin := time.Now()
	p, err := load(name)
	if err != nil {
		return report{}, err
	}
	folder, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return report{}, err
	}
	defer os.RemoveAll(folder)
	t, err := prepare(mutate(p), folder)
	if err != nil {
		return report{}, err
	}
	r := report{name: name, outcomes: map[outcome]int{}, excluded: len(t.excluded), suite: t.suite}
	done, list := 0, slices.DeleteFunc(slices.Clone(t.mutations), func(m mutation) bool {
		return base != "" && filepath.Base(m.at.Filename) != base
	})
	t.tryAll(list, func(m mutation, o outcome) {
		done++
		r.outcomes[o]++
		if o != killed {
			r.survivors = append(r.survivors, m)
			tell(m, done, len(list))
		}
	})
	r.took = time.Since(begin)
	return r, nil
}

func (r report) write(out io.Writer) {
	dead, alive := r.outcomes[killed], r.outcomes[survived]+r.outcomes[notReached]
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "package\tmutants\tkilled\tsurvived\tof these unreached\texcluded\tscore\tsuite\tseconds")
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%.1f %%\t%.2f s\t%.0f\n", r.name, dead+alive, dead, alive, r.outcomes[notReached], r.excluded,
		100*float64(dead)/float64(max(dead+alive, 1)), r.suite.Seconds(), r.took.Seconds())
	w.Flush()
}
