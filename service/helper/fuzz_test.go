package helper

import (
	"bytes"
	"net"
	"slices"
	"testing"

	"standfast/hw/clock"
)

// monologue is a connection whose other end says something, in pieces of a size, and then no more.
type monologue struct {
	net.Conn
	says  *bytes.Reader
	piece int
}

func (m *monologue) Read(b []byte) (int, error) { return m.says.Read(b[:min(len(b), m.piece)]) }
func (m *monologue) Close() error               { return nil }

// FuzzScriptJob: whoever may run programs gets what it asked for and nothing else.
func FuzzScriptJob(f *testing.F) {
	for _, s := range []string{
		`{"id":7,"instance":"VI_0","argv":["/bin/true","x"]}`, `{"id":7,"argv":["true"],"user":"nobody"}`, `{"id":7,"argv":["true"]}{"id":8,"argv":["true"]}`,
		`{"id":7,"instance":"VI_0"}`, `{"argv":[""]}`, "run this", "", "null", `{"id":-1,"argv":["x"]}`, `{"argv":["\u0000"]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		job, err := readScriptJob(line)
		if err != nil {
			return
		}
		if len(job.Argv) == 0 || job.Argv[0] == "" {
			t.Fatalf("%q is taken for %+v", line, job)
		}
		if err := job.encode(); err != nil {
			if len(line) < scriptLine/8 {
				t.Fatalf("%q cannot be said again: %v", line, err)
			}
			return
		}
		again, err := readScriptJob(string(job.line))
		if err != nil || again.ID != job.ID || again.Instance != job.Instance || !slices.Equal(again.Argv, job.Argv) {
			t.Fatalf("%+v, said again, is %+v, %v", job, again, err)
		}
	})
}

// FuzzScriptOutcomes lets a helper say anything: a job that was sent comes to at most one outcome, one that was not to none.
func FuzzScriptOutcomes(f *testing.F) {
	for _, s := range []string{
		"{\"ready\":true}\n{\"id\":1,\"result\":\"succeeded\",\"seconds\":0.5}\n", "{\"id\":1}\n{\"id\":1}\n{\"id\":9}\n", "nonsense\n{\"id\":1}\n", "{\"id\":2", "\n\n", "null\n",
	} {
		f.Add([]byte(s), uint8(255))
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, says []byte, piece uint8) {
		outcomes := map[uint64]int{}
		lines := 0
		s := NewScriptOutlet("", clock.Now, func(o ScriptOutcome) { outcomes[o.ID]++ }, func(string) { lines++ })
		for range 3 {
			s.Post("VI_0", []string{"x"})
			s.take()
		}
		s.attend(false)
		s.listen(&monologue{says: bytes.NewReader(says), piece: 1 + int(piece)}, make(chan struct{}, 1))
		for id, n := range outcomes {
			if id < 1 || id > 3 || n != 1 {
				t.Fatalf("%d outcomes of job %d", n, id)
			}
		}
		if lines > 2 {
			t.Fatalf("%d lines were logged", lines)
		}
		s.forget()
		if len(outcomes) != 3 || s.waiting() {
			t.Fatalf("3 jobs came to the outcomes %v", outcomes)
		}
	})
}
