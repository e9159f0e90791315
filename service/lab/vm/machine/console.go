package machine

import (
	"bytes"
	"strings"
	"sync"
	"time"
)

// A Line is a line of a console.
type Line struct {
	At   time.Time // when its first character came
	Text string    // without its end; of the last line, what has come of it
}

// console keeps what was said, and when each line began.
type console struct {
	mu    sync.Mutex
	all   bytes.Buffer
	began []beginning
}

type beginning struct {
	offset int // in all that was said
	at     time.Time
}

// Write takes what is said; it never fails.
func (c *console) Write(p []byte) (int, error) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	said := c.all.Len()
	fresh := said == 0 || c.all.Bytes()[said-1] == '\n'
	for i, b := range p {
		if fresh {
			c.began = append(c.began, beginning{said + i, now})
		}
		fresh = b == '\n'
	}
	return c.all.Write(p)
}

func (c *console) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all.String()
}

func (c *console) lines() []Line {
	c.mu.Lock()
	defer c.mu.Unlock()
	text, lines := c.all.String(), make([]Line, len(c.began))
	for i, b := range c.began {
		end := len(text)
		if i+1 < len(c.began) {
			end = c.began[i+1].offset
		}
		lines[i] = Line{At: b.at, Text: strings.TrimRight(text[b.offset:end], "\r\n")}
	}
	return lines
}
