package service

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"sync"
	"time"
)

// helperLine bounds a line between the service and its helpers, in bytes.
const helperLine = 1 << 20

// helperGreeting is what every helper says first, and again every beat.
const helperGreeting = "{\"ready\":true}\n"

// helperConn is one end of a connection between processes of ours.
type helperConn struct {
	*net.UnixConn
	mu sync.Mutex // one line at a time
}

// dialHelper connects to a helper, which is heard of only when it greets.
func dialHelper(path string) (*helperConn, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return &helperConn{UnixConn: conn}, nil
}

// say sends one line. Whoever does not take it within helperWrite is as good as gone, and the connection of no more use.
func (c *helperConn) say(word any) error {
	line, err := json.Marshal(word)
	if err != nil {
		return err
	}
	return c.send(append(line, '\n'))
}

func (c *helperConn) send(line []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.SetWriteDeadline(time.Now().Add(helperWrite)); err != nil {
		return err
	}
	_, err := c.Write(line)
	return err
}

// beat says a line every helperBeat until ctx ends or it cannot be said; then it closes the connection. It is made anew
// each time only where it may change: the ends of a connection are to be small.
func (c *helperConn) beat(ctx context.Context, line func() []byte) {
	defer c.Close()
	for c.send(line()) == nil && ctx.Err() == nil {
		pause(ctx, helperBeat)
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

// listen hands on what is said until the connection ends, or nothing was said for helperSilence.
func (c *helperConn) listen(heard func(line []byte) error) error {
	silent := time.AfterFunc(helperSilence, func() { _ = c.Close() })
	defer silent.Stop()
	lines := bufio.NewScanner(c)
	lines.Buffer(nil, helperLine)
	for lines.Scan() {
		silent.Reset(helperSilence)
		if err := heard(lines.Bytes()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return errHelperGone
}
