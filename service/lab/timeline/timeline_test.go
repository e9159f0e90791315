package timeline

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the picture of testdata anew")

const ms = time.Millisecond

// story is invented, and has all that a recording can have.
func story() Recording {
	return Recording{
		Title:    "The MASTER loses power <an invented recording>",
		Subtitle: "Two machines & a cable. What is drawn here was never measured: it is there so that the drawing can be looked at, and compared with what it was before somebody changed it.",
		From:     -2 * time.Second, To: 8 * time.Second,
		Lanes: []Lane{
			{"machine A", []Span{{-2 * time.Second, 0, "master", "MASTER"}, {0, 8 * time.Second, "off", "without power"}}},
			{"machine B", []Span{
				{-2 * time.Second, -1500 * ms, "init", "INIT"}, {-1500 * ms, 42 * ms, "backup", "BACKUP"},
				{42 * ms, 5 * time.Second, "master", "MASTER"}, {5 * time.Second, 5500 * ms, "fault", "FAULT"}, {5500 * ms, 9 * time.Second, "backup", "BACKUP"},
			}},
			{"carrier of the cable at B", []Span{{-9 * time.Second, 20 * ms, "up", ""}, {20 * ms, 8 * time.Second, "down", "no carrier"}}},
			{"who answers on LAN 192.168.10.0/24", []Span{{-2 * time.Second, 0, "answers", "A"}, {0, 44 * ms, "silent", "nobody"}, {44 * ms, 8 * time.Second, "answers", "B"}}},
			{"pings of a client", []Span{{0, 0, "lost", ""}, {7 * time.Second, 7 * time.Second, "lost", ""}, {8 * time.Second, 8 * time.Second, "lost", ""}}},
			{"nothing is known of this one", nil},
		},
		Marks: []Mark{
			{20 * ms, "machine B", "the heartbeat port has lost carrier: a doubt begins, and questions are put to the serving ports"},
			{41 * ms, "machine B", "peer-dead: the virtual address is silent on a port where it answered within the last minute and a witness answers now (backup-5-peer-dead)"},
			{5 * time.Second, "machine B", "isolated"},
			{7900 * ms, "machine B", "said close to the end, where little room is left beside it"},
			{0, "", "power off"},
			{7 * time.Second, "", "power on"},
			{44 * ms, "who answers on LAN 192.168.10.0/24", "first answer of B"},
		},
	}
}

func draw(t *testing.T, r Recording) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := r.SVG(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestPicture compares with a picture that a person has looked at.
func TestPicture(t *testing.T) {
	const name = "testdata/story.svg"
	got := draw(t, story())
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("the picture has changed: look at it, then go test ./service/lab/timeline -update\n%s", diff)
	}
}

// TestJSON takes a recording through a file.
func TestJSON(t *testing.T) {
	text, err := json.Marshal(story())
	if err != nil {
		t.Fatal(err)
	}
	var r Recording
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(story(), r); diff != "" {
		t.Error(diff)
	}
}

// elements reads a picture as XML, and fails where it is none.
func elements(t *testing.T, picture []byte) (names map[string]int, texts []string) {
	t.Helper()
	names = map[string]int{}
	d := xml.NewDecoder(bytes.NewReader(picture))
	for inText := false; ; {
		token, err := d.Token()
		if err == io.EOF {
			return names, texts
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, picture)
		}
		switch x := token.(type) {
		case xml.StartElement:
			names[x.Name.Local]++
			inText = inText || x.Name.Local == "text"
		case xml.CharData:
			if inText {
				texts = append(texts, string(x))
			}
		case xml.EndElement:
			inText = inText && x.Name.Local != "text"
		}
	}
}

// TestStrangeText wants whatever somebody writes to come out as text.
func TestStrangeText(t *testing.T) {
	const nasty = `</text><script>alert("1")</script>&amp;'`
	r := Recording{
		Title: nasty, Subtitle: nasty, To: time.Second, Lanes: []Lane{{nasty, []Span{{0, time.Second, "master", nasty}}}},
		Marks: []Mark{{0, nasty, nasty}, {0, "", "\x00\x1b[31m\xff\ufffe"}},
	}
	names, texts := elements(t, draw(t, r))
	if names["script"] != 0 {
		t.Error("there is a script in the picture")
	}
	all := strings.Join(texts, "|")
	for _, want := range []string{nasty, "\uFFFD\uFFFD[31m\uFFFD\uFFFD"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in %s", want, all)
		}
	}
}

// TestNothingOverlaps lays out heaps of annotations: no text lies on another, no line that leads to one crosses another,
// and none leaves the picture.
func TestNothingOverlaps(t *testing.T) {
	words := []string{"a", "the", "carrier", "peer-dead", "backup-5-peer-dead-wait", "address", "is", "192.168.10.254", "silent"}
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 1))
		r := Recording{From: -time.Second, To: 10 * time.Second}
		var marks []Mark
		for range 1 + random.IntN(12) {
			m := Mark{At: r.From + time.Duration(random.Int64N(int64(r.To-r.From)+1))}
			if random.IntN(3) == 0 { // much at nearly the same moment is the ordinary case
				m.At = time.Duration(random.IntN(50)) * ms
			}
			for range 1 + random.IntN(25) {
				m.Text += " " + words[random.IntN(len(words))]
			}
			marks = append(marks, m)
		}
		r.Marks = marks
		notes, height := place(marks, newSheet(r).x)
		said := 0
		for _, n := range notes {
			said += len(n.at)
		}
		if said != len(marks) {
			t.Fatalf("seed %d: %d of %d placed", seed, said, len(marks))
		}
		for i, n := range notes {
			if n.bottom() > height || n.right() > width {
				t.Errorf("seed %d: %+v leaves the picture", seed, n)
			}
			for j, m := range notes {
				if i == j {
					continue
				}
				if i < j && !n.besides(m) && n.top < m.bottom() && m.top < n.bottom() {
					t.Errorf("seed %d: %+v lies on %+v", seed, n, m)
				}
				for _, x := range n.at {
					if x > m.left() && x < m.right() && n.bottom() > m.top {
						t.Errorf("seed %d: the line to %+v crosses %+v", seed, n, m)
					}
				}
			}
		}
	}
}

func TestOverlapIsSeen(t *testing.T) {
	a, b := note{at: []float64{10}, lines: []string{"some text"}}, note{at: []float64{30}, lines: []string{"more"}}
	if a.besides(b) || b.besides(a) || !a.besides(note{at: []float64{200}}) {
		t.Error("what lies on something else is not told from what lies beside it")
	}
}

func TestWrap(t *testing.T) {
	for _, test := range []struct {
		text string
		most float64
		want []string
	}{
		{"", 100, []string{""}},
		{"one  two three", 7 * glyph, []string{"one two", "three"}},
		{"unbreakable word", glyph, []string{"unbreakable", "word"}},
		{"−−− +++", 7 * glyph, []string{"−−− +++"}},
	} {
		if diff := cmp.Diff(test.want, wrap(strings.Fields(test.text), test.most)); diff != "" {
			t.Errorf("%q: %s", test.text, diff)
		}
	}
}

func TestMoment(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0", 12 * time.Microsecond: "+12 µs", 8734 * time.Microsecond: "+8.7 ms", -20 * ms: "−20 ms", 350 * ms: "+350 ms",
		100*ms + 400*time.Microsecond: "+100 ms", time.Second: "+1 s", -2500 * ms: "−2.5 s", 10 * time.Second: "+10 s", 231 * time.Second: "+231 s",
	} {
		if got := moment(d); got != want {
			t.Errorf("%v is %q, want %q", int64(d), got, want)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		from, to time.Duration
		first    time.Duration
		every    time.Duration
		count    int
	}{
		{-2 * time.Second, 8 * time.Second, -2 * time.Second, time.Second, 11},
		{-2500 * ms, 20 * time.Second, -2 * time.Second, 5 * time.Second / 2 * 2, 0},
		{0, 100 * ms, 0, 10 * ms, 11},
		{1500 * ms, 1600 * ms, 1500 * ms, 10 * ms, 11},
		{-30 * time.Second, 5 * time.Minute, 0, 50 * time.Second, 7},
		{0, 3, 0, 1, 4},
	} {
		got := ticks(test.from, test.to)
		if test.count == 0 { // only the bounds
			if len(got) < 3 || len(got) > 12 || got[0] < test.from || got[len(got)-1] > test.to {
				t.Errorf("%v to %v: %v", test.from, test.to, got)
			}
			continue
		}
		if len(got) != test.count || got[0] != test.first || got[1]-got[0] != test.every {
			t.Errorf("%v to %v: %v, want %d from %v every %v", test.from, test.to, got, test.count, test.first, test.every)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Recording)
		want   string
	}{
		"no time":        {func(r *Recording) { r.To = r.From }, "ends at -2s, and begins at -2s"},
		"kind":           {func(r *Recording) { r.Lanes[0].Spans[0].Kind = "MASTER" }, `the kind "MASTER", which is none of master, backup, fault,`},
		"backwards":      {func(r *Recording) { r.Lanes[0].Spans[0].To = -time.Hour }, "before it begins"},
		"same name":      {func(r *Recording) { r.Lanes[1].Name = r.Lanes[0].Name }, "two lanes"},
		"no name":        {func(r *Recording) { r.Lanes[1].Name = "" }, "or one has none"},
		"nobody's mark":  {func(r *Recording) { r.Marks[0].Lane = "machine C" }, `the lane "machine C", which the recording does not have`},
		"mark too early": {func(r *Recording) { r.Marks[0].At = -time.Hour }, "outside"},
		"mark too late":  {func(r *Recording) { r.Marks[0].At = time.Hour }, "outside"},
	} {
		t.Run(name, func(t *testing.T) {
			r := story()
			test.change(&r)
			var b bytes.Buffer
			err := r.SVG(&b)
			if err == nil || !strings.Contains(err.Error(), test.want) || b.Len() > 0 {
				t.Errorf("%v, and %d bytes; want %q", err, b.Len(), test.want)
			}
		})
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }

func TestWriterFails(t *testing.T) {
	if err := story().SVG(full{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}
