package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// written runs a journal over what log does, to its end, and returns what was written.
func written(t *testing.T, change func(*journal), log func(*slog.Logger)) string {
	t.Helper()
	var b bytes.Buffer
	j := newJournal(&b, slog.LevelInfo, 64)
	if change != nil {
		change(j)
	}
	log(j.Logger())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	j.Run(ctx)
	if j.Dropped() != 0 {
		t.Errorf("%d messages lost", j.Dropped())
	}
	return b.String()
}

func TestJournalLines(t *testing.T) {
	for _, c := range []struct {
		name string
		log  func(*slog.Logger)
		want string
	}{
		{"the message is the line", func(l *slog.Logger) { l.Info("(VI_0) Entering MASTER STATE") },
			"(VI_0) Entering MASTER STATE\n"},
		{"attributes follow", func(l *slog.Logger) {
			l.Info("(VI_0) Entering MASTER STATE", "rule", "backup-5-peer-dead", "after", 9*time.Millisecond)
		},
			"(VI_0) Entering MASTER STATE rule=backup-5-peer-dead after=9ms\n"},
		{"values with spaces are quoted", func(l *slog.Logger) { l.Info("a", "why", `the "peer" is dead`, "none", "", "sum", "1=1") },
			`a why="the \"peer\" is dead" none="" sum="1=1"` + "\n"},
		{"attributes and groups of a logger", func(l *slog.Logger) { l.With("a", 1).WithGroup("g").With("b", 2).WithGroup("").Info("m", "c", 3) },
			"m a=1 g.b=2 g.c=3\n"},
		{"a group as attribute", func(l *slog.Logger) {
			l.Info("m", slog.Group("port", "name", "p1", slog.Group("", "index", 2)), slog.Attr{}, slog.Group("nothing"))
		}, "m port.name=p1 port.index=2\n"},
		{"errors of many lines", func(l *slog.Logger) { l.Error("cannot: " + errors.Join(io.EOF, io.ErrClosedPipe).Error()) },
			"cannot: EOF;io: read/write on closed pipe\n"},
		{"control characters from the network", func(l *slog.Logger) { l.Info("name \x1b[2J\r\x00\xff end\n") },
			"name ?[2J??? end\n"},
		{"level", func(l *slog.Logger) { l.Debug("not this"); l.Info("this") }, "this\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, written(t, nil, c.log)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestJournalPriorities(t *testing.T) {
	got := written(t, func(j *journal) { j.priorities, j.level = true, slog.LevelDebug }, func(l *slog.Logger) {
		l.Debug("debugging")
		l.Info("information")
		l.Warn("warning")
		l.Error("error")
		l.Log(t.Context(), slog.LevelError+4, "worse")
	})
	want := "<7>debugging\n<6>information\n<4>warning\n<3>error\n<3>worse\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestJournalKnowsItsReader(t *testing.T) {
	// systemd gives a service one end of a stream socket.
	listener, err := net.Listen("unix", "@standfast-journal-test")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("unix", "@standfast-journal-test")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	socket, err := conn.(*net.UnixConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, c := range []struct {
		name string
		w    io.Writer
		want bool
	}{{"the journal's socket", socket, true}, {"a file", file, false}, {"no file at all", io.Discard, false}} {
		if got := newJournal(c.w, slog.LevelInfo, 1).priorities; got != c.want {
			t.Errorf("%s: priorities %t, want %t", c.name, got, c.want)
		}
	}
}

func TestJournalBoundsLines(t *testing.T) {
	for _, filler := range []string{"x", "é", "→"} {
		got := written(t, nil, func(l *slog.Logger) { l.Info(strings.Repeat(filler, 5000)) })
		if len(got) > longestLine+1 || !strings.HasSuffix(got, filler+"…\n") {
			t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-8:])
		}
	}
}

// stuck is a writer that blocks as long as it is told to.
type stuck struct {
	mu     sync.Mutex
	text   strings.Builder
	open   chan struct{} // closed: writes pass
	begun  chan struct{} // gets a word for every write that began
	failed error
}

func newStuck() *stuck { return &stuck{open: make(chan struct{}), begun: make(chan struct{}, 1<<16)} }

func (s *stuck) Write(b []byte) (int, error) {
	s.begun <- struct{}{}
	<-s.open
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return 0, s.failed
	}
	return s.text.Write(b)
}

func (s *stuck) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// TestJournalOfAHangingWriter: the log daemon hangs on the dead disk. Nobody waits, what
// is too much is counted, and when it comes back it hears of the loss and the latest.
func TestJournalOfAHangingWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStuck()
		j := newJournal(w, slog.LevelInfo, 4)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { j.Run(ctx); close(ended) }()

		log, start := j.Logger(), time.Now()
		log.Info("0")
		<-w.begun // the writer hangs in this one
		for i := 1; i <= 10; i++ {
			log.Info(fmt.Sprint(i))
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("logging took %v", took)
		}
		if got := j.Dropped(); got != 6 {
			t.Errorf("%d messages dropped, want 6", got)
		}

		close(w.open)
		synctest.Wait()
		if diff := cmp.Diff("0\n6 messages lost\n7\n8\n9\n10\n", w.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		cancel()
		<-ended
	})
}

func TestJournalTellsDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStuck()
		j := newJournal(w, slog.LevelInfo, 4)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { j.Run(ctx); close(ended) }()
		j.Logger().Info("first")
		<-w.begun
		j.Logger().Info("(VI_0) Entering MASTER STATE")
		time.Sleep(12340 * time.Millisecond)
		j.Logger().Info("last")
		close(w.open)
		synctest.Wait()
		want := "first\n(VI_0) Entering MASTER STATE delayed=12.34s\nlast\n"
		if diff := cmp.Diff(want, w.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		cancel()
		<-ended
	})
}

func TestJournalEndIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStuck()
		j := newJournal(w, slog.LevelInfo, 4)
		ctx, cancel := context.WithCancel(t.Context())
		j.Logger().Info("never seen")
		time.AfterFunc(time.Minute, cancel)
		start := time.Now()
		j.Run(ctx)
		if took := time.Since(start); took != time.Minute+farewell {
			t.Errorf("Run returned after %v, want %v", took, time.Minute+farewell)
		}
		close(w.open) // lets the writer go, or the bubble never ends
	})
}

func TestJournalWritesWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		j := newJournal(&b, slog.LevelInfo, 4)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		j.Logger().Info("Stopping")
		start := time.Now()
		j.Run(ctx)
		if b.String() != "Stopping\n" || time.Since(start) != 0 {
			t.Errorf("wrote %q in %v", b.String(), time.Since(start))
		}
	})
}

func TestJournalOfAFailingWriter(t *testing.T) {
	w := newStuck()
	w.failed = io.ErrClosedPipe
	close(w.open)
	j := newJournal(w, slog.LevelInfo, 4)
	j.Logger().Info("one")
	j.Logger().Info("two")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	j.Run(ctx)
	if got := j.Dropped(); got != 2 {
		t.Errorf("%d messages dropped, want 2", got)
	}
}

// TestJournalFromManyGoroutines: every message is written or counted, none twice, and
// those of one goroutine in order.
func TestJournalFromManyGoroutines(t *testing.T) {
	const writers, each = 8, 500
	var b bytes.Buffer
	j := newJournal(&b, slog.LevelInfo, 16)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { j.Run(ctx); close(ended) }()
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			log := j.Logger().With("writer", w)
			for i := range each {
				log.Info("message", "number", i)
			}
		})
	}
	all.Wait()
	cancel()
	<-ended

	var seen, told uint64
	last := map[int]int{}
	for line := range strings.Lines(b.String()) {
		var lost uint64
		if n, _ := fmt.Sscanf(line, "%d messages lost\n", &lost); n == 1 {
			told += lost
			continue
		}
		w, i := 0, 0
		if n, err := fmt.Sscanf(line, "message writer=%d number=%d\n", &w, &i); n != 2 {
			t.Fatalf("%q: %v", line, err)
		}
		if before, ok := last[w]; ok && i <= before {
			t.Errorf("writer %d: %d came after %d", w, i, before)
		}
		last[w] = i
		seen++
	}
	if told != j.Dropped() || seen+told != writers*each {
		t.Errorf("%d seen, %d told as lost, %d counted as lost, of %d", seen, told, j.Dropped(), writers*each)
	}
}
