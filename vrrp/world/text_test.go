package world

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestStoryReadsBack writes the stories of many seeds and reads them again.
func TestStoryReadsBack(t *testing.T) {
	for seed := range uint64(300) {
		seed *= 0x9e3779b97f4a7c15
		want := StoryOf(seed)
		got, err := ParseStory(want.String())
		if err != nil {
			t.Fatalf("seed %#x: %v\n%s", seed, err, want)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %#x: read back\n%s\nof\n%s", seed, got, want)
		}
	}
}

// TestEveryKindIsTold writes and reads a fault of each kind with everything set that its phrase mentions.
func TestEveryKindIsTold(t *testing.T) {
	told := map[string]Kind{}
	for kind := range NumKinds {
		f := Fault{Kind: kind, Router: 1, Segment: wan, N: 2, For: 12345678901}
		if strings.Contains(menu[kind].told, "{island}") {
			f.N = 1
		}
		f = f.canonical()
		if before, twice := told[f.String()]; twice {
			t.Errorf("%s and %s are told alike: %s", before, kind, f)
		}
		told[f.String()] = kind
		got, err := parseFault(f.String())
		if err != nil || got != f {
			t.Errorf("%s: read back %+v, %v of %+v, told as %q", kind, got, err, f, f)
		}
	}
}

// TestStoryErrors wants the line and what was expected.
func TestStoryErrors(t *testing.T) {
	const head = "# a story\nscene seed=1\n"
	for _, c := range []struct{ text, want string }{
		{"", `no story: expected a line that begins with "scene"`},
		{"# nothing\n", `no story: expected a line that begins with "scene"`},
		{"30s heal\n", `line 1: a story begins with "scene"`},
		{"scene sed=1\n", `line 1: "sed=1": no word of a scene; those are seed, routers, shape, `},
		{"scene seed=x\n", `line 1: "seed=x": expected seed= and a number of 64 bits`},
		{"scene routers=4\n", `line 1: "routers=4": expected routers= and 2 or 3`},
		{"scene shape=round\n", `line 1: "shape=round": expected shape= and single, dual, grouped, neighbours, six, on-lan`},
		{"scene nopreempt=yes\n", `line 1: "nopreempt=yes": expected nopreempt alone`},
		{"scene loss=1\n", `line 1: "loss=1": expected loss= and a share`},
		{"scene routers=3\n", "line 1: three routers need a heartbeat that is switched"},
		{"scene shape=on-lan\n", "line 1: shape=on-lan needs switched"},
		{"scene shape=grouped b=keepalived\n", "line 1: shape=grouped needs b=standfast"},
		{"scene shape=six version=2\n", "line 1: VI_6: "},
		{"scene advert_int=41s\n", "line 1: VI_1: "},
		{head + "soon A loses power for 3s\n", `line 3: "soon": expected a time since the beginning`},
		{head + "1s A loses power for 3s\n", "line 3: 1s is too early: expected 28s or later"},
		{head + "40s A loses power for 3s\n30s heal\n", "line 4: 30s is too early: expected 40s or later"},
		{head + "40s A loses power for 3s\n", `the story ends with faults: expected a last line such as "60s heal"`},
		{head + "40s heal\n50s A loses power for 3s\n60s heal\n", "line 4: 50s is too early: expected 157s or later"},
		{head + "40s A loses power\n", `line 3: not a fault: it ends too early, expected "for" as in "{R} loses power for {for}"`},
		{head + "40s A loses power for long\n", `line 3: not a fault: "long": expected a duration such as 3.2s as in`},
		{head + "40s A loses power for 3s or so\n", `line 3: not a fault: "or": expected nothing more as in`},
		{head + "40s A p9p9 is unplugged for 3s\n", `line 3: not a fault: "p9p9": expected a port: [p4p1 p3p1 p3p2 p1p1] as in`},
		{head + "40s C loses power for 3s\n", `line 3: "C loses power for 3s": there are only 2 routers`},
		{head + "40s frames from A to A are lost on wan for 3s\n", `line 3: not a fault: "A": expected another router as in`},
		{head + "40s frames from A to C are lost on wan for 3s\n", "line 3: \"frames from A to C are lost on wan for 3s\": there are only 2 routers"},
		{head + "40s the gateway of wan answers 1.5us late for 3s\n", `line 3: not a fault: "1.5us": expected a duration in whole milliseconds as in`},
	} {
		_, err := ParseStory(c.text)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s…", c.text, err, c.want)
		}
	}
}

// TestReplayKeepsTheHead replays a text: what stands above the line stays as it was written, by hand or not.
func TestReplayKeepsTheHead(t *testing.T) {
	const head = "# what this shows\n\nscene   seed=7 # the usual\n40s B's process is stopped for 16ms\n  60s heal\n"
	first, r, err := Replay(head)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(first, head+separator+"\n") {
		t.Errorf("the head changed:\n%s", first)
	}
	if r.Episodes[Stopped] != 1 || r.Heals != 1 {
		t.Errorf("not what was written happened: %+v", r)
	}
	second, _, err := Replay(first)
	if err != nil || second != first {
		t.Errorf("a second replay differs: %v\n%s\nfirst\n%s", err, second, first)
	}
}

// TestSubjects wants what is told of a fault that is over to say nothing of how long.
func TestSubjects(t *testing.T) {
	for kind := range NumKinds {
		f := Fault{Kind: kind, For: 123456789}
		if s := f.subject(); strings.Contains(s, text(f.For)) || strings.ContainsAny(s, "|{}") || !strings.HasPrefix(f.String(), s) {
			t.Errorf("%s is over: %q of %q", kind, s, f)
		}
	}
}

// TestTranscript wants long lines broken, and what happens together told together.
func TestTranscript(t *testing.T) {
	w := newWorld(defaultScene())
	w.say("nobody wants to know")
	w.transcript.wanted = true
	w.say("%s", strings.Repeat("word ", 40))
	w.sayAlso("A has", 1)
	w.sayAlso("A has", 2)
	w.sayAlso("B has", 3)
	w.say("%s", strings.Repeat("x", 200))
	w.sayAlso("B has", 4)
	want := []string{
		"    0.000000  " + strings.TrimSpace(strings.Repeat("word ", 19)),
		lineIndent + strings.TrimSpace(strings.Repeat("word ", 18)),
		lineIndent + "word word word",
		"    0.000000  A has 1, 2",
		"    0.000000  B has 3",
		"    0.000000  " + strings.Repeat("x", 200),
		"    0.000000  B has 4",
	}
	if !slices.Equal(w.transcript.lines, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(w.transcript.lines, "\n"), strings.Join(want, "\n"))
	}
}
