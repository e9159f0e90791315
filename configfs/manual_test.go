package configfs

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	manual      = "../packaging/man/standfast.conf.5"
	beginOfList = `.\" BEGIN of what configfs/manual_test.go writes` + "\n"
	endOfList   = `.\" END of what configfs/manual_test.go writes` + "\n"
)

func readManual(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// understood lists the keywords with a meaning, by the section of the manual that explains them.
func understood() map[string][]string {
	return map[string][]string{
		"TOP LEVEL":          slices.Sorted(maps.Keys(rootWords)),
		"GLOBAL DEFINITIONS": slices.Sorted(maps.Keys(globalWords)),
		"VRRP INSTANCES":     slices.Sorted(slices.Values(slices.Concat(meant(inInstance), meant(inAuthentication)))),
		"SYNC GROUPS":        slices.Sorted(maps.Keys(groupWords)),
	}
}

// TestManual wants every keyword explained in its section, once, and nothing else.
func TestManual(t *testing.T) {
	explained := map[string][]string{}
	section := ""
	for line := range strings.Lines(readManual(t)) {
		if name, ok := strings.CutPrefix(line, ".Sh "); ok {
			section = strings.TrimSpace(name)
		}
		if item, ok := strings.CutPrefix(line, ".It Ic "); ok && understood()[section] != nil {
			explained[section] = append(explained[section], strings.Fields(item)[0])
		}
	}
	for _, words := range explained {
		slices.Sort(words)
	}
	if diff := cmp.Diff(understood(), explained); diff != "" {
		t.Errorf("%s (-program +manual):\n%s", manual, diff)
	}
}

// TestManualNotSupported wants the manual to name every other word of keepalived's.
func TestManualNotSupported(t *testing.T) {
	page := readManual(t)
	before, rest, begins := strings.Cut(page, beginOfList)
	list, after, ends := strings.Cut(rest, endOfList)
	if !begins || !ends {
		t.Fatalf("%s has no place for the list", manual)
	}
	want := notSupported()
	if *update {
		if err := os.WriteFile(manual, []byte(before+beginOfList+want+endOfList+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(list, "\n")); diff != "" {
		t.Errorf("rewrite it with go test ./configfs -update (-want +manual):\n%s", diff)
	}
}

// notSupported writes those lists.
func notSupported() string {
	var b strings.Builder
	reasons := func(title, text string, words map[string]string) {
		b.WriteString(".Ss " + title + "\n" + text + "\n.Bl -tag -width Ds\n")
		for _, word := range slices.Sorted(maps.Keys(words)) {
			b.WriteString(".It Ic " + word + "\n" + sentence(words[word]) + ".\n")
		}
		b.WriteString(".El\n")
	}
	reasons("Refused", "Without them the configuration would be misread.", fatal)
	reasons("Nothing to do", "They change nothing, for the reason given.", moot)
	b.WriteString(".Ss Mail\nNo mail is sent; use a notify script.\n")
	writeWords(&b, mail)
	b.WriteString(".Ss Not yet acted on\n.Nm standfast\nruns as if they were not there.\n")
	for _, p := range []place{atRoot, inGlobals, inInstance, inGroup} {
		b.WriteString(".Pp\n" + sentence(p.String()) + ":\n")
		writeWords(&b, slices.DeleteFunc(strings.Fields(catalogue[p]), func(word string) bool {
			return slices.Contains(meant(p), word) || fatal[word] != "" || moot[word] != "" || slices.Contains(mail, word) || isInclude(word)
		}))
	}
	b.WriteString(".Ss Skipped\nThe blocks of the load balancer and of what is tracked by scripts,\nprocesses and files are skipped whole, with these in them:\n")
	writeWords(&b, strings.Fields(catalogue[elsewhere]))
	return b.String()
}

// sentence begins with a capital, unless with a name that has none.
func sentence(s string) string {
	if strings.HasPrefix(s, "standfast ") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// meant lists the keywords with a meaning in a place.
func meant(p place) []string {
	switch p {
	case atRoot:
		return slices.Collect(maps.Keys(rootWords))
	case inGlobals:
		return slices.Collect(maps.Keys(globalWords))
	case inInstance:
		return slices.Collect(maps.Keys(instanceWords))
	case inGroup:
		return slices.Collect(maps.Keys(groupWords))
	case inAuthentication:
		return slices.Collect(maps.Keys(authenticationWords))
	case elsewhere:
	}
	return nil
}

// writeWords writes keywords with commas between them, in lines of the length that manual pages have.
func writeWords(b *strings.Builder, words []string) {
	line := ".Ic"
	for n, word := range words {
		if len(line)+len(word) > 75 {
			b.WriteString(line + "\n")
			line = ".Ic"
		}
		line += " " + word
		if n < len(words)-1 {
			line += " ,"
		}
	}
	b.WriteString(line + "\n")
}
