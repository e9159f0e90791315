package machine

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
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
	said int // commands
	rest []byte
}

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
	if err := s.tell(ctx, say(begin, "0")+"( "+script+"\n) </dev/null 2>&1; "+say(end, "$?")); err != nil {
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

// say is the command to say a mark, with a number behind it.
func say(mark, number string) string {
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
		if err := s.tell(ctx, "\n"+say(mark, "0")); err != nil {
			return err
		}
		short, cancel := context.WithTimeout(ctx, call)
		_, _, err := s.until(short, mark)
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%w: no shell", ctx.Err())
		case short.Err() == nil:
			return err
		}
	}
}

// bound has the connection give up when ctx ends, until release is called.
func (s *shell) bound(ctx context.Context) (release func()) {
	given := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = s.conn.SetDeadline(time.Unix(1, 0)) // fails where there is nothing left to give up
		close(given)
	})
	return func() {
		if !stop() {
			<-given
		}
		_ = s.conn.SetDeadline(time.Time{})
	}
}

// tell sends to the shell. A machine that takes nothing, as before it has a console, holds it up until ctx ends.
func (s *shell) tell(ctx context.Context, text string) error {
	defer s.bound(ctx)()
	if _, err := io.WriteString(s.conn, text); err != nil {
		return cmp.Or(ctx.Err(), err)
	}
	return nil
}

// until reads to a mark, and returns what was before it and the status behind it. What comes later is kept.
func (s *shell) until(ctx context.Context, mark string) (string, int, error) {
	defer s.bound(ctx)()
	var piece [4096]byte
	for {
		if before, after, ok := bytes.Cut(s.rest, []byte(mark+" ")); ok {
			if number, rest, ok := bytes.Cut(after, []byte(";\n")); ok {
				status, _ := strconv.Atoi(string(number))
				text := strings.ReplaceAll(string(before), "\r", "")
				s.rest = bytes.Clone(rest)
				return text, status, nil
			}
		}
		n, err := s.conn.Read(piece[:])
		s.rest = append(s.rest, piece[:n]...)
		if err != nil {
			return string(s.rest), 0, cmp.Or(ctx.Err(), err)
		}
	}
}
