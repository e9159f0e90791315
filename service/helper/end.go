package helper

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"sync"
	"time"
)

// longestLine bounds a line between the service and its helpers, in bytes.
const longestLine = 1 << 20

// readyLine is what every helper says first, and again every beat.
const readyLine = "{\"ready\":true}\n"

// end is one end of a connection between processes of ours.
type end struct {
	*net.UnixConn
	mu sync.Mutex // one line at a time
}

// dial connects to a helper, which is heard of only when it greets.
func dial(path string) (*end, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return &end{UnixConn: conn}, nil
}

// say sends one line. Whoever does not take it within writePatience is as good as gone, and the connection of no more use.
func (c *end) say(word any) error {
	line, err := json.Marshal(word)
	if err != nil {
		return err
	}
	return c.send(append(line, '\n'))
}

func (c *end) send(line []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.SetWriteDeadline(time.Now().Add(writePatience)); err != nil {
		return err
	}
	_, err := c.Write(line)
	return err
}

// beat says a line every beatEvery until ctx ends or it cannot be said; then it closes the connection. It is made anew
// each time only where it may change: the ends of a connection are to be small.
func (c *end) beat(ctx context.Context, line func() []byte) {
	defer c.Close()
	for c.send(line()) == nil && ctx.Err() == nil {
		pause(ctx, beatEvery)
	}
}

// lineOf is the word as a line.
func lineOf(word any) []byte {
	line, err := json.Marshal(word)
	if err != nil {
		return nil // words between processes of ours are plain structs; nothing is said instead
	}
	return append(line, '\n')
}

// listen hands on what is said until the connection ends, or nothing was said for silence.
func (c *end) listen(heard func(line []byte) error) error {
	silent := time.AfterFunc(silence, func() { _ = c.Close() })
	defer silent.Stop()
	lines := bufio.NewScanner(c)
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		silent.Reset(silence)
		if err := heard(lines.Bytes()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return errGone
}
