package main

import (
	"cmp"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

const manual = "../../packaging/man/standfast.8"

// lines reads the manual page from one heading, which is left out, to the next of the same macro.
func lines(page, macro, heading string) []string {
	_, rest, _ := strings.Cut(page, "\n"+macro+" "+heading+"\n")
	part, _, _ := strings.Cut(rest, "\n"+macro+" ")
	return strings.Split(part, "\n")
}

// subcommands are those of the manual: all that a person may call.
func subcommands() []*cobra.Command {
	root := command()
	root.InitDefaultCompletionCmd("completion")
	return slices.DeleteFunc(root.Commands(), func(c *cobra.Command) bool { return !c.IsAvailableCommand() })
}

// flagLine is how the help of a command begins the line of a flag.
var flagLine = regexp.MustCompile(`(?m)^ +(?:-(\w), )?--([\w-]+)`)

// flags lists the flags of a command as the manual writes them, those of what is below it included.
func flags(c *cobra.Command) (all, short []string) {
	all, short = []string{}, []string{}
	for _, one := range append([]*cobra.Command{c}, c.Commands()...) {
		for _, f := range flagLine.FindAllStringSubmatch(one.LocalFlags().FlagUsages(), -1) {
			letter, name := f[1], "-"+f[2]
			if name == "-help" || slices.Contains(all, name) {
				continue
			}
			all, short = append(all, name), append(short, cmp.Or(letter, name))
			if letter != "" {
				all = append(all, letter)
			}
		}
	}
	slices.Sort(all)
	slices.Sort(short)
	return all, short
}

// TestManual wants every command and every flag explained in the manual page, in the synopsis too, and nothing else.
func TestManual(t *testing.T) {
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	commands := strings.Join(lines(page, ".Sh", "COMMANDS"), "\n")
	want := []string{"helper"} // not for people, and named for who meets it in a list of processes
	synopsis := map[string][]string{}
	name := ""
	for _, line := range lines(page, ".Sh", "SYNOPSIS") {
		if after, ok := strings.CutPrefix(line, ".Cm "); ok && synopsis[after] == nil && !strings.Contains(after, "|") {
			name = after
			synopsis[name] = []string{}
		}
		if after, ok := strings.CutPrefix(line, ".Op Fl "); ok {
			synopsis[name] = append(synopsis[name], strings.Fields(after)[0])
		}
	}
	wantSynopsis := map[string][]string{}
	for _, c := range subcommands() {
		want = append(want, c.Name())
		all, short := flags(c)
		explained := []string{}
		for _, line := range lines(commands, ".Ss", c.Name()) {
			if item, ok := strings.CutPrefix(line, ".It Fl "); ok {
				for part := range strings.SplitSeq(item, ", Fl ") {
					explained = append(explained, strings.Fields(part)[0])
				}
			}
		}
		slices.Sort(explained)
		if diff := gocmp.Diff(all, explained); diff != "" {
			t.Errorf("%s, flags of %s (-program +manual):\n%s", manual, c.Name(), diff)
		}
		wantSynopsis[c.Name()] = short
		slices.Sort(synopsis[c.Name()])
	}
	got := []string{}
	for line := range strings.Lines(commands) {
		if heading, ok := strings.CutPrefix(line, ".Ss "); ok {
			got = append(got, strings.TrimSpace(heading))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("%s, commands (-program +manual):\n%s", manual, diff)
	}
	if diff := gocmp.Diff(wantSynopsis, synopsis); diff != "" {
		t.Errorf("%s, synopsis (-program +manual):\n%s", manual, diff)
	}
}

// TestFindings wants every finding explained in the manual page and on the page for who is on call, and no rule named
// there that does not exist.
func TestFindings(t *testing.T) {
	const onCall, table = "../../docs/on-call.md", "../../vrrp/verdict/testdata/rules.txt"
	text := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	rules := text(table)
	rule := regexp.MustCompile(`\b(backup|master|fault|storage)-\d[a-z-]*`)
	for _, name := range []string{manual, onCall} {
		for _, r := range rule.FindAllString(text(name), -1) {
			if !strings.Contains(rules, "\n"+r+"\n") {
				t.Errorf("%s names the rule %s, which %s does not have", name, r, table)
			}
		}
	}
	findings := regexp.MustCompile(`(?m)^  finding ([a-z-]+),`).FindAllStringSubmatch(rules, -1)
	if len(findings) == 0 {
		t.Fatalf("%s has no findings", table)
	}
	for _, f := range findings {
		if !strings.Contains(text(manual), "\n.It Sy "+f[1]+"\n") {
			t.Errorf("%s does not explain the finding %s", manual, f[1])
		}
		if !strings.Contains(text(onCall), "\n### "+f[1]+"\n") {
			t.Errorf("%s does not explain the finding %s", onCall, f[1])
		}
	}
}
