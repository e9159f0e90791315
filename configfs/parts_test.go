package configfs

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestSplitQuoted(t *testing.T) {
	for _, test := range []struct {
		command string
		want    []string
		wrong   bool
	}{
		{command: ``},
		{command: " \t "},
		{command: `/bin/a b  c`, want: []string{"/bin/a", "b", "c"}},
		{command: `a 'b c' "d e"`, want: []string{"a", "b c", "d e"}},
		{command: `a'b c'd`, want: []string{"ab cd"}},
		{command: `'' ""`, want: []string{"", ""}},
		{command: `'a"b' "c'd"`, want: []string{`a"b`, `c'd`}},
		{command: `a\ b \'c\"`, want: []string{"a b", `'c"`}},
		{command: `\a\b\E\f\n\r\t\v`, want: []string{"\a\b\x1b\f\n\r\t\v"}},
		{command: `\101\60 \1012 \x41\x4 \xg \cA \c`, want: []string{"A0", "A2", "A\x04", "xg", "\x01", "c"}},
		{command: `'\x41'`, want: []string{"A"}},
		{command: `\400`, want: []string{"\x00"}},
		{command: `a\`, want: []string{`a\`}},
		{command: `a "b`, wrong: true},
		{command: `a 'b"`, wrong: true},
	} {
		got, err := splitQuoted(test.command)
		if (err != nil) != test.wrong {
			t.Errorf("%s: error %v", test.command, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.command, diff)
		}
	}
}

func TestSuggest(t *testing.T) {
	right := []string{"virtual_ipaddress", "virtual_ipaddress_excluded", "priority", "via"}
	for wrong, want := range map[string]string{
		"virtual_ip_address": "virtual_ipaddress",
		"Virtual-IPaddress":  "virtual_ipaddress",
		"pirority":           "priority",
		"prioritty":          "priority",
		"vai":                "via",
		"xyz":                "",
		"vi":                 "",
		"":                   "",
	} {
		if want != "" {
			want = "did you mean " + want + "?"
		}
		if got := suggest(wrong, right); got != want {
			t.Errorf("suggest(%q) = %q, want %q", wrong, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ab", 2}, {"ab", "", 2}, {"ab", "ba", 1}, {"abc", "abd", 1}, {"kitten", "sitting", 3}, {"A-b", "a_B", 0}} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("distance(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

func TestAlternatives(t *testing.T) {
	for pattern, want := range map[string][]string{
		"a":             {"a"},
		"{a,b}":         {"a", "b"},
		"x{a,b}y{1,}":   {"xay1", "xay", "xby1", "xby"},
		"{a":            {"{a"},
		"a}b":           {"a}b"},
		"}a{b,c}":       {"}ab", "}ac"},
		"x{only}":       {"xonly"},
		"{a,b}{c,d}{e}": {"ace", "ade", "bce", "bde"},
	} {
		got, ok := alternatives(pattern)
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			t.Errorf("%s (-want +got):\n%s", pattern, diff)
		}
	}
	if _, ok := alternatives(strings.Repeat("{a,b}", 64)); ok {
		t.Error("2⁶⁴ alternatives are not refused")
	}
}

// says loads one file and returns what is complained about.
func says(t *testing.T, fsys fs.FS) Diagnostics {
	t.Helper()
	_, complaints := Load(fsys, mainFile)
	return complaints
}

func TestLines(t *testing.T) {
	long := "# " + strings.Repeat("x", maxLine)
	story := string(Story("A", 100))
	for _, test := range []struct {
		name, content, want string
		severity            Severity
	}{
		{"NUL", story + "\x00", "a NUL byte in the line", Error},
		{"long", long + "\n" + story, "the line is 1026 bytes long", Hazard},
		{"CRLF", strings.ReplaceAll(story, "\n", "\r\n"), "", Note},
		{"no final newline", strings.TrimRight(story, "\n"), "", Note},
		{"not UTF-8", strings.Replace(story, "RTR", "\xff\xfe", 1), "", Note},
	} {
		t.Run(test.name, func(t *testing.T) {
			complaints := says(t, oneFile(test.content))
			if worst, _ := complaints.Worst(); worst != test.severity || !strings.Contains(complaints.String(), test.want) {
				t.Errorf("want %v that says %q, got:\n%v", test.severity, test.want, complaints)
			}
		})
	}
}

func TestExecutableFile(t *testing.T) {
	fsys := oneFile(string(Story("A", 100)))
	fsys[mainFile[1:]].Mode = 0o755
	complaints := says(t, fsys)
	if worst, _ := complaints.Worst(); worst != Hazard || !strings.Contains(complaints.String(), "is executable") {
		t.Errorf("got:\n%v", complaints)
	}
}

// TestIncludeBounds: neither a long chain of files nor a bush of them is read to its end.
func TestIncludeBounds(t *testing.T) {
	chain, bush := oneFile("include 1"), oneFile(strings.Repeat("include 1\n", 40))
	for i := range 30 {
		name := fmt.Sprint("etc/standfast/", i+1)
		chain[name] = &fstest.MapFile{Data: fmt.Appendf(nil, "include %d", i+2), Mode: 0o644}
		bush[name] = &fstest.MapFile{Data: []byte(strings.Repeat(fmt.Sprintf("include %d\n", i+2), 40)), Mode: 0o644}
	}
	if complaints := says(t, chain); !strings.Contains(complaints.String(), "more than 16 files include one another") {
		t.Errorf("chain:\n%v", complaints)
	}
	if complaints := says(t, bush); !strings.Contains(complaints.String(), "more than 1000 files") {
		t.Errorf("bush: %d complaints", len(complaints))
	}
}

func TestManyAddresses(t *testing.T) {
	var lines strings.Builder
	for i := range 300 {
		fmt.Fprintf(&lines, "10.0.%d.%d/16\n", i/200, i%200+1)
	}
	content := "vrrp_instance one {\ninterface p1p1\nvirtual_router_id 1\nvirtual_ipaddress {\n" + lines.String() +
		"}\nvirtual_ipaddress_excluded {\n192.0.2.1\n}\n}\n"
	config, complaints := Load(oneFile(content), mainFile)
	if worst, _ := complaints.Worst(); worst != Hazard || complaints[0].Line != 5+255 {
		t.Errorf("got:\n%v", complaints)
	}
	one := config.Instances[0]
	if len(one.Addresses) != 255 || len(one.Excluded) != 46 {
		t.Errorf("%d advertised, %d excluded", len(one.Addresses), len(one.Excluded))
	}
	if got := one.Excluded[0].Prefix.String(); got != "10.0.1.56/16" {
		t.Errorf("first of the overflow is %s", got)
	}
}

// TestTables: every keyword in the tables of understood words is in the catalogue, unless it is our own, and
// no keyword is both fatal and moot.
func TestTables(t *testing.T) {
	own := []string{"fault_prior", "fault_contested", "fault_probe", "fault_witness", "vip_lease", "storage_watch", "storage_yield", "storage_fence", "watchdog_device"}
	check := func(p place, words ...string) {
		for _, w := range words {
			if !p.knows(w) && !strings.Contains(strings.Join(own, " "), w) {
				t.Errorf("%s is understood %v but is not in the catalogue", w, p)
			}
		}
	}
	for w := range rootWords {
		check(atRoot, w)
	}
	for w := range globalWords {
		check(inGlobals, w)
	}
	for w := range instanceWords {
		check(inInstance, w)
	}
	for w := range groupWords {
		check(inGroup, w)
	}
	for w := range authenticationWords {
		check(inAuthentication, w)
	}
	for w := range fatal {
		if _, both := moot[w]; both {
			t.Errorf("%s is both fatal and moot", w)
		}
	}
	for _, w := range rootBlocks {
		check(atRoot, w)
	}
}

func TestDiagnostics(t *testing.T) {
	at := Position{"/f", 3, 4}
	d := Diagnostics{
		{Position: at, Severity: Note, Text: "a"},
		{Position: at, Severity: Error, Text: "b", Hint: "h", Cause: fs.ErrPermission},
		{Position: Position{File: "/f"}, Severity: Hazard, Text: "c"},
	}
	if got, want := d.String(), "/f:3:4: note: a\n/f:3:4: error: b\n\thint: h\n/f: hazard: c\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := fmt.Sprint(d.Err()), "/f:3:4: error: b\n\thint: h"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for n, want := range []Severity{Note, Note, Error, Error} {
		if got, any := d[:n].Worst(); got != want || any != (n > 0) {
			t.Errorf("worst of %d is %v, %v", n, got, any)
		}
	}
	if err := d[:1].Err(); err != nil {
		t.Errorf("a note is no error: %v", err)
	}
}
