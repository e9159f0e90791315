package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// shell is a shell in the machine, on a console of its own. It is there some seconds before the machine is up; what is said to it before is lost, so it
// is called first.
type shell struct {
	conn net.Conn
	mu   sync.Mutex
	said int    // marks
	rest []byte // what came behind the last mark, without carriage returns
}

// ErrNoShell is what [Machine.Run] returns where no shell answered, so that the script has not begun.
var ErrNoShell = errors.New("no shell")

// An Exit is the exit status of a script that is not 0.
type Exit int

// Error names the exit status.
func (e Exit) Error() string { return "exit status " + strconv.Itoa(int(e)) }

func newShell(c net.Conn) *shell { return &shell{conn: c} }

// call is how often a shell is called that has not answered yet.
const call = 500 * time.Millisecond

// run runs a script to its end.
func (s *shell) run(ctx context.Context, script string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.wake(ctx); err != nil {
		return "", err
	}
	begin, end := s.mark(), s.mark()
	// The marks are put together in the machine, so that no echo of the command can be taken for one.
	if err := s.say(ctx, printMark(begin, "0")+"( "+script+"\n) </dev/null 2>&1; "+printMark(end, "$?")); err != nil {
		return "", err
	}
	if _, _, err := s.until(ctx, begin); err != nil { // before it is what was said to those who called
		return "", err
	}
	out, status, err := s.until(ctx, end)
	if err != nil {
		return out, fmt.Errorf("%w: the shell does not answer to %q; it said %q", err, firstLine(script), strings.TrimSpace(out))
	}
	if status != 0 {
		return out, fmt.Errorf("%w of %q: %s", Exit(status), firstLine(script), strings.TrimSpace(out))
	}
	return out, nil
}

func firstLine(script string) string {
	line, _, more := strings.Cut(script, "\n")
	if more {
		line += " …"
	}
	return line
}

// printMark is the command to print a mark, on a line of its own, with a number behind it.
func printMark(mark, number string) string {
	return fmt.Sprintf("printf '\\n%%s%%s %%d;\\n' '%s' '%s' %s\n", mark[:2], mark[2:], number)
}

// mark is a word that nobody says otherwise.
func (s *shell) mark() string {
	s.said++
	return fmt.Sprintf("==%d-said", s.said)
}

// wake calls the shell until it answers. What was said to one that was not there yet, or that has gone with a reset, is answered by none.
func (s *shell) wake(ctx context.Context) error {
	mark := s.mark()
	for {
		short, cancel := context.WithTimeout(ctx, call)
		err := s.say(short, "\n"+printMark(mark, "0"))
		if err == nil {
			_, _, err = s.until(short, mark)
		}
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%w: %w", ErrNoShell, ctx.Err())
		case !errors.Is(err, context.DeadlineExceeded):
			return fmt.Errorf("%w: %w", ErrNoShell, err)
		}
	}
}

// say says something to the shell. A console that nobody has open takes only so much.
func (s *shell) say(ctx context.Context, text string) error {
	release := s.bound(ctx)
	defer release()
	_, err := s.conn.Write([]byte(text))
	return ended(ctx, err)
}

// until reads to a mark, and returns what was before it and the number behind it. What comes later is kept.
func (s *shell) until(ctx context.Context, mark string) (string, int, error) {
	release := s.bound(ctx)
	defer release()
	form := regexp.MustCompile(`\n` + mark + ` (\d+);\n`)
	var piece [4096]byte
	for {
		if at := form.FindSubmatchIndex(s.rest); at != nil {
			text, number := string(s.rest[:at[0]]), string(s.rest[at[2]:at[3]])
			s.rest = bytes.Clone(s.rest[at[1]:])
			status, err := strconv.Atoi(number)
			return text, status, err
		}
		n, err := s.conn.Read(piece[:])
		s.rest = append(s.rest, bytes.ReplaceAll(piece[:n], []byte{'\r'}, nil)...)
		if err != nil {
			return string(s.rest), 0, ended(ctx, err)
		}
	}
}

// bound has reads and writes end with ctx, until it is released.
func (s *shell) bound(ctx context.Context) (release func()) {
	over := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(over)
		_ = s.conn.SetDeadline(time.Unix(1, 0))
	})
	return func() {
		if !stop() {
			<-over // or it would be the next one's deadline
		}
		_ = s.conn.SetDeadline(time.Time{})
	}
}

// ended is the reason of an error: that of ctx, where it has ended.
func ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
