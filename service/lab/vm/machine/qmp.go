package machine

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// qmp is a connection to QEMU's machine protocol (docs/interop/qmp-spec): one command at a time, events in between.
type qmp struct {
	conn   net.Conn
	mu     sync.Mutex
	asked  int
	open   atomic.Pointer[qmpQuestion]
	closed chan struct{}
	resets chan string
}

// qmpQuestion is a command that was not answered yet.
type qmpQuestion struct {
	id    int
	reply chan qmpReply
}

type qmpReply struct {
	ID     int             `json:"id"`
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
	Event string `json:"event"`
	Data  struct {
		Reason string `json:"reason"`
	} `json:"data"`
}

// qmpPatience bounds the wait for an answer: QEMU's main loop gives it.
const qmpPatience = 20 * time.Second

func newQMP(c net.Conn) (*qmp, error) {
	q := &qmp{conn: c, closed: make(chan struct{}), resets: make(chan string, 16)}
	go q.listen()
	return q, q.do("qmp_capabilities", nil)
}

// listen sorts what QEMU says until it says no more.
func (q *qmp) listen() {
	defer close(q.closed)
	for d := json.NewDecoder(q.conn); ; {
		var r qmpReply
		if d.Decode(&r) != nil {
			return
		}
		switch {
		case r.Event == "RESET":
			select {
			case q.resets <- r.Data.Reason:
			default: // nobody listens
			}
		case r.ID != 0: // else another event, or the greeting
			if w := q.open.Load(); w != nil && w.id == r.ID && q.open.CompareAndSwap(w, nil) {
				w.reply <- r
			}
		}
	}
}

// do has QEMU do something.
func (q *qmp) do(command string, arguments map[string]any) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.asked++ // a reply that comes too late is to a question that nobody asks any more
	question := &qmpQuestion{id: q.asked, reply: make(chan qmpReply, 1)}
	q.open.Store(question)
	order := map[string]any{"execute": command, "id": question.id}
	if arguments != nil {
		order["arguments"] = arguments
	}
	patience := time.NewTimer(qmpPatience)
	defer patience.Stop()
	_ = q.conn.SetWriteDeadline(time.Now().Add(qmpPatience))
	err := json.NewEncoder(q.conn).Encode(order)
	if err == nil {
		select {
		case r := <-question.reply:
			err = r.err()
		case <-q.closed:
			err = net.ErrClosed
		case <-patience.C:
			err = os.ErrDeadlineExceeded
		}
	}
	if err != nil {
		return fmt.Errorf("QMP %s: %w", command, err)
	}
	return nil
}

// err is what QEMU has against a command.
func (r qmpReply) err() error {
	if r.Error == nil {
		return nil
	}
	return fmt.Errorf("%s: %s", r.Error.Class, r.Error.Desc)
}
