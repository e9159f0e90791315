package service

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// A line that waited longer than this says so: whoever takes it stamps it with the
	// time at which it arrives.
	delayWorthTelling = time.Second

	// No line is longer, in bytes, whatever somebody made us say: with the capacity this
	// bounds the memory of the journal.
	longestLine = 4096

	// How long the last lines may take at the end.
	farewell = 500 * time.Millisecond
)

// journal is the way of log lines out of the process. Whoever logs puts a line into a
// ring and goes on; one goroutine writes. When the writer cannot keep up, or hangs since
// the log daemon does, the ring forgets its oldest lines and counts them, so that what is
// left tells the latest events.
type journal struct {
	w          io.Writer
	level      slog.Level
	priorities bool // the reader understands the prefix "<N>" of syslog priorities
	wake       chan struct{}

	mu      sync.Mutex
	ring    []line // of fixed length
	first   int    // index of the oldest line
	held    int    // how many lines there are
	lost    uint64 // since the last line that was written
	dropped uint64 // ever
}

// line is one message, complete but for its end.
type line struct {
	at       time.Time // when it was logged; zero: unknown
	priority int       // of syslog: 3 error, 4 warning, 6 information, 7 debugging
	text     string
}

// newJournal makes a journal that keeps messages of the level and above, as many as
// capacity (at least 1) while they wait for w.
func newJournal(w io.Writer, level slog.Level, capacity int) *journal {
	return &journal{
		w: w, level: level, priorities: readsPriorities(w),
		wake: make(chan struct{}, 1),
		ring: make([]line, max(1, capacity)),
	}
}

// readsPriorities reports whether w is the socket by which systemd gives a service's
// output to its journal. Releases before 231 do not say so in the environment; but
// nobody else starts a service with a socket for its standard error.
func readsPriorities(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeSocket != 0
}

// Logger returns a logger whose every call returns at once.
func (j *journal) Logger() *slog.Logger { return slog.New(&handler{journal: j}) }

// Dropped returns how many messages were lost since the start.
func (j *journal) Dropped() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.dropped
}

// Run writes until the context ends, then what is left, for half a second at most. A
// write that hangs holds up nobody, not even the return of Run.
func (j *journal) Run(ctx context.Context) {
	within(ctx, farewell, func(stop <-chan struct{}) {
		for {
			j.drain()
			select {
			case <-j.wake:
			case <-stop:
				j.drain()
				return
			}
		}
	})
}

// within runs work in a goroutine of its own. When the context ends it tells work to stop
// and waits for that, but not longer than patience: work may hang in the kernel.
func within(ctx context.Context, patience time.Duration, work func(stop <-chan struct{})) {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		work(stop)
	}()
	<-ctx.Done()
	close(stop)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-ended:
	case <-limit.C:
	}
}

// put adds a line, in place of the oldest if there is no room.
func (j *journal) put(l line) {
	j.mu.Lock()
	if j.held == len(j.ring) {
		j.first = (j.first + 1) % len(j.ring)
		j.held--
		j.lost++
		j.dropped++
	}
	j.ring[(j.first+j.held)%len(j.ring)] = l
	j.held++
	j.mu.Unlock()
	select {
	case j.wake <- struct{}{}:
	default: // the writer has not yet begun with what woke it last
	}
}

// next takes the oldest line out. Before the first line after a loss it gives one that
// tells of the loss.
func (j *journal) next() (line, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.lost > 0 {
		l := line{priority: 4, text: fmt.Sprintf("%d messages lost", j.lost)}
		j.lost = 0
		return l, true
	}
	if j.held == 0 {
		return line{}, false
	}
	l := j.ring[j.first]
	j.ring[j.first] = line{} // lets go of the text
	j.first = (j.first + 1) % len(j.ring)
	j.held--
	return l, true
}

// drain writes until nothing is left. A line that cannot be written is lost.
func (j *journal) drain() {
	for {
		l, ok := j.next()
		if !ok {
			return
		}
		if _, err := io.WriteString(j.w, j.format(l)); err != nil {
			j.mu.Lock()
			j.dropped++
			j.mu.Unlock()
		}
	}
}

func (j *journal) format(l line) string {
	var b strings.Builder
	if j.priorities {
		fmt.Fprintf(&b, "<%d>", l.priority)
	}
	b.WriteString(l.text)
	if waited := time.Since(l.at); !l.at.IsZero() && waited > delayWorthTelling {
		fmt.Fprintf(&b, " delayed=%v", waited.Round(time.Millisecond))
	}
	b.WriteByte('\n')
	return b.String()
}

// handler turns what is logged into lines: the message as it is, for that is what
// operators search for, then the attributes as key=value.
type handler struct {
	journal *journal
	attrs   string // of With, formatted
	group   string // prefix of keys, with a dot at its end; empty for none
}

// Enabled implements [slog.Handler].
func (h *handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.journal.level }

// Handle implements [slog.Handler]. It never fails and never blocks.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	b := []byte(r.Message + h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		b = appendAttr(b, h.group, a)
		return true
	})
	h.journal.put(line{at: r.Time, priority: priority(r.Level), text: oneLine(string(b))})
	return nil
}

// WithAttrs implements [slog.Handler].
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b []byte
	for _, a := range attrs {
		b = appendAttr(b, h.group, a)
	}
	return &handler{journal: h.journal, attrs: h.attrs + string(b), group: h.group}
}

// WithGroup implements [slog.Handler].
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &handler{journal: h.journal, attrs: h.attrs, group: h.group + name + "."}
}

// appendAttr adds " key=value". A group becomes its members, with its name before theirs.
func appendAttr(b []byte, group string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, member := range v.Group() {
			b = appendAttr(b, group, member)
		}
		return b
	}
	if a.Equal(slog.Attr{}) {
		return b
	}
	b = append(b, ' ')
	b = append(b, group...)
	b = append(b, a.Key...)
	b = append(b, '=')
	text := v.String()
	quoted := text == "" || strings.ContainsFunc(text, func(r rune) bool {
		return r == ' ' || r == '"' || r == '=' || !unicode.IsPrint(r)
	})
	if quoted {
		return strconv.AppendQuote(b, text)
	}
	return append(b, text...)
}

// oneLine makes sure that a message is one line of bounded length: the log takes each
// line for a message, and some of the words come from the network.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return ';'
		case r == utf8.RuneError || unicode.IsControl(r):
			return '?'
		}
		return r
	}, strings.TrimRight(text, "\n"))
	if len(text) <= longestLine {
		return text
	}
	cut := longestLine - len("…")
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// priority is the number that syslog has for a level.
func priority(level slog.Level) int {
	switch {
	case level >= slog.LevelError:
		return 3
	case level >= slog.LevelWarn:
		return 4
	case level >= slog.LevelInfo:
		return 6
	default:
		return 7
	}
}
