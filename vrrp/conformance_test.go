package vrrp

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// conformanceFile is written by -update from the tables of this package's tests.
const conformanceFile = "../CONFORMANCE.md"

// level is how strongly RFC 9568 puts a demand.
type level string

const (
	must           level = "MUST"
	mustNot        level = "MUST NOT"
	should         level = "SHOULD"
	shouldNot      level = "SHOULD NOT"
	recommended    level = "RECOMMENDED"
	notRecommended level = "NOT RECOMMENDED"
	text           level = "text" // said without a keyword, and no less binding
)

// demand is one sentence of the RFC, and what proves that it is met, or why it is not.
type demand struct {
	id    string // the section, and a number in it; stable
	level level
	says  string // the demand, in one sentence of ours
	// does proves that it is kept where it counts, doesNot that it reaches no further.
	does, doesNot []proof
	single        string // why there is no doesNot
	note          string // what to know about a demand that is met

	// One of these says why the demand is not met as it is written. Proofs then show what happens instead.
	deviates string // on purpose
	outside  string // by somebody else than this daemon
	gap      string // not, and it should be
}

// proof is a test.
type proof struct {
	run  func(*testing.T) // run by TestConformance in the name of its row
	name string           // else package.Test, which go test runs by itself
}

// shown makes proofs of functions of this package, which therefore exist, and of names like "hw/wire.TestSend", which
// TestConformanceNames looks for. A function whose name begins with Test is run by go test, any other by its row.
func shown(by ...any) []proof {
	var list []proof
	for _, b := range by {
		switch b := b.(type) {
		case string:
			list = append(list, proof{name: b})
		case func(*testing.T):
			full := runtime.FuncForPC(reflect.ValueOf(b).Pointer()).Name()
			if name := strings.TrimPrefix(full, "standfast/vrrp."); strings.HasPrefix(name, "Test") && !strings.Contains(name, ".") {
				list = append(list, proof{name: "vrrp." + name})
				continue
			}
			list = append(list, proof{run: b})
		default:
			panic(fmt.Sprintf("%T is no proof", b))
		}
	}
	return list
}

// TestConformance runs what the rows hold themselves.
func TestConformance(t *testing.T) {
	for _, r := range slices.Concat(requirements, errata) {
		if does, doesNot := own(r.does), own(r.doesNot); len(does)+len(doesNot) > 0 {
			t.Run(r.id, func(t *testing.T) {
				for _, p := range does {
					t.Run("does", p.run)
				}
				for _, p := range doesNot {
					t.Run("does not", p.run)
				}
			})
		}
	}
}

// own returns the proofs that the row runs itself.
func own(proofs []proof) []proof {
	return slices.DeleteFunc(slices.Clone(proofs), func(p proof) bool { return p.run == nil })
}

// TestConformanceTable wants every row to be whole: met and shown in both polarities, or with a reason why not.
func TestConformanceTable(t *testing.T) {
	seen := map[string]bool{}
	form := regexp.MustCompile(`^\d+(\.\d+)*-\d+$|^erratum-\d+$`)
	sentence := regexp.MustCompile(`(?s)^[A-Z].*\.$`)
	for _, r := range slices.Concat(requirements, errata) {
		var wrong []string
		complain := func(bad bool, what string) {
			if bad {
				wrong = append(wrong, what)
			}
		}
		excuses := []string{r.deviates, r.outside, r.gap}
		excused := len(slices.DeleteFunc(excuses, func(s string) bool { return s == "" }))
		complain(seen[r.id], "the id is taken")
		complain(!form.MatchString(r.id), "the id is no section and number")
		complain(!sentence.MatchString(r.says), "it says no sentence")
		complain(excused > 1, "it has more than one excuse")
		complain(r.outside == "" && r.gap == "" && len(r.does) == 0, "nothing shows what it does")
		complain(excused == 0 && len(r.doesNot) == 0 && r.single == "", "nothing shows that it does not, and there is no reason")
		complain(r.single != "" && (len(r.doesNot) > 0 || excused > 0), "a reason for what is not missing")
		complain(r.note != "" && excused > 0, "a note beside an excuse")
		for _, reason := range []string{r.single, r.note, r.deviates, r.outside, r.gap} {
			complain(reason != "" && !sentence.MatchString(reason), fmt.Sprintf("the reason %q is no sentence", reason))
		}
		complain(len(own(r.does)) > 1 || len(own(r.doesNot)) > 1, "two tests of its own for one polarity would have one name")
		if len(wrong) > 0 {
			t.Errorf("%s: %s", r.id, strings.Join(wrong, "; "))
		}
		seen[r.id] = true
	}
	if got := tally(requirements, isMust).all; got != 59 {
		t.Errorf("%d rows are MUST or MUST NOT, RFC 9568 has 59", got)
	}
	if len(errata) != 6 || len(operations) != 22 {
		t.Errorf("%d errata and %d operations, there are 6 and 22", len(errata), len(operations))
	}
	for _, o := range operations {
		if seen[o.number] || o.run == nil && len(o.by) == 0 {
			t.Errorf("operation %s is there twice, or nothing shows it", o.number)
		}
		seen[o.number] = true
	}
}

// TestConformanceNames looks for every test that a table names in the source of its package.
func TestConformanceNames(t *testing.T) {
	known := map[string]map[string]bool{}
	for _, name := range proofNames() {
		at := strings.LastIndexByte(name, '.')
		folder, test := name[:max(at, 0)], name[at+1:]
		if _, ok := known[folder]; !ok {
			known[folder] = testsIn(t, filepath.Join("..", folder))
		}
		if !known[folder][test] {
			t.Errorf("a row names %s, which does not exist", name)
		}
	}
}

// proofNames returns the names of all tests that a table names.
func proofNames() []string {
	var names []string
	for _, r := range slices.Concat(requirements, errata) {
		for _, p := range slices.Concat(r.does, r.doesNot) {
			if p.run == nil {
				names = append(names, p.name)
			}
		}
	}
	for _, u := range operations {
		for _, p := range u.by {
			names = append(names, p.name)
		}
	}
	return names
}

// testsIn returns the names of the tests of a package, read from its source.
func testsIn(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				tests[f.Name.Name] = true
			}
		}
	}
	return tests
}

// TestConformanceDocument keeps CONFORMANCE.md what the tables say.
func TestConformanceDocument(t *testing.T) {
	want := document()
	if *update {
		if err := os.WriteFile(conformanceFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(conformanceFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("CONFORMANCE.md is not what the tests say (-tests +file); go test ./vrrp -run Conformance -update rewrites it:\n%s", diff)
	}
}

// score counts rows by what became of them.
type score struct{ all, both, single, deviates, outside, gap int }

func isMust(r demand) bool { return r.level == must || r.level == mustNot }
func isText(r demand) bool { return r.level == text }

func tally(rows []demand, which func(demand) bool) (s score) {
	for _, r := range rows {
		if !which(r) {
			continue
		}
		s.all++
		switch {
		case r.deviates != "":
			s.deviates++
		case r.outside != "":
			s.outside++
		case r.gap != "":
			s.gap++
		case r.single != "":
			s.single++
		default:
			s.both++
		}
	}
	return s
}

// render writes a line of the summary.
func (s score) render(b *bytes.Buffer, what string) {
	fmt.Fprintf(b, "| %s | %d | %d | %d | %d | %d | %d |\n", what, s.all, s.both, s.single, s.deviates, s.outside, s.gap)
}

// document renders the tables.
func document() string {
	var b bytes.Buffer
	b.WriteString(preamble)
	tally(requirements, isMust).render(&b, "MUST, MUST NOT")
	tally(requirements, func(r demand) bool { return !isMust(r) && !isText(r) }).render(&b, "SHOULD and the like")
	tally(requirements, isText).render(&b, "said without a keyword")
	tally(errata, func(demand) bool { return true }).render(&b, "errata")
	fmt.Fprintf(&b, "\nBesides: the %d titles of a test suite of routers, and %d golden vectors.\n", len(operations), len(goldens))
	chapter := ""
	for _, r := range requirements {
		if c := chapterOf(r.id); c != chapter {
			chapter = c
			fmt.Fprintf(&b, "\n## %s\n\n%s", chapter, tableHead)
		}
		r.render(&b)
	}
	fmt.Fprintf(&b, "\n## Errata\n\n%s", tableHead)
	for _, r := range errata {
		r.render(&b)
	}
	renderOperations(&b)
	renderGoldens(&b)
	b.WriteString("\n## The larger deviations\n\n")
	for _, c := range choices {
		fmt.Fprintf(&b, "- *%s.* %s\n", c.name, c.why)
	}
	return b.String()
}

const preamble = `# Conformance

What RFC 9568 demands of a router, and the test that shows each. This file is written by the tests and compared with them
(` + "`go test ./vrrp -run Conformance -update`" + ` rewrites it), and a test that is named here exists. The sentences are ours; the RFC is the authority.

A demand is *met* when one test shows that it is kept where it counts, and another that it reaches no further: a wrong packet is
dropped, and a right one is not. Where nothing can reach further, one polarity is all there is. What is different on purpose is a
*deviation*, with its reason; what the kernel, the operator or another daemon does is *outside*; what is missing is a *gap*.

| | all | met, both polarities | met, the only polarity | deviations | outside | gaps |
|---|---|---|---|---|---|---|
`

const tableHead = "| | | demand | kept where it counts | and no further |\n|---|---|---|---|---|\n"

// chapters of the RFC that have demands.
var chapters = map[string]string{
	"2": "§2 Required features", "5": "§5 Protocol", "6": "§6 State machine", "7": "§7 Sending and receiving",
	"8": "§8 Operational issues", "9": "§9 Security",
}

func chapterOf(id string) string {
	head, _, _ := strings.Cut(id, ".")
	head, _, _ = strings.Cut(head, "-")
	return chapters[head]
}

// render writes the row. The reason why a demand is not met stands with the demand.
func (r demand) render(b *bytes.Buffer) {
	says := r.says
	for _, reason := range []struct{ head, text string }{
		{"Deviation", r.deviates}, {"Outside", r.outside}, {"Gap", r.gap}, {"Note", r.note},
	} {
		if reason.text != "" {
			says += fmt.Sprintf("<br>*%s*: %s", reason.head, reason.text)
		}
	}
	doesNot := r.render1("does_not", r.doesNot)
	if r.single != "" {
		doesNot = "*None*: " + r.single
	}
	fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", r.id, r.level, says, r.render1("does", r.does), doesNot)
}

// render1 lists the proofs of one polarity.
func (r demand) render1(polarity string, proofs []proof) string {
	var list []string
	for _, p := range proofs {
		name := p.name
		if p.run != nil {
			name = "vrrp.TestConformance/" + r.id + "/" + polarity
		}
		list = append(list, "`"+name+"`")
	}
	return strings.Join(list, "<br>")
}

func renderOperations(b *bytes.Buffer) {
	b.WriteString("\n## UNH-IOL VRRP operations test suite, revision 2.5\n\n" +
		"Its titles; the procedures follow from the RFCs, in version 2, which it was written for, and in version 3 over IPv4 and IPv6.\n\n" +
		"| | title | shown by |\n|---|---|---|\n")
	for _, u := range operations {
		var list []string
		if u.run != nil {
			list = append(list, "`vrrp.TestOperations/"+u.number+"`")
		}
		for _, p := range u.by {
			list = append(list, "`"+p.name+"`")
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", u.number, u.title, strings.Join(list, "<br>"))
	}
}

func renderGoldens(b *bytes.Buffer) {
	b.WriteString("\n## Golden vectors\n\nMessages that other implementations agree on. Each is decoded (`vrrp.TestGoldenReceived`) and breaks with any single bit " +
		"(`vrrp.TestGoldenEveryBitCounts`); those in the form that standfast sends are encoded byte for byte (`vrrp.TestGoldenSent`). " +
		"Another, of holo, has a checksum that covers something else, and is dropped for that (`vrrp.TestVectorOfHolo`).\n\n" +
		"| | from, to | bytes | sent |\n|---|---|---|---|\n")
	for _, g := range goldens {
		sent := "no"
		if g.sent {
			sent = "yes"
		}
		fmt.Fprintf(b, "| %s | %s, %s | `%s` | %s |\n", g.name, g.src, g.dst, g.hex, sent)
	}
}
