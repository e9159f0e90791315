package machine

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// qmp is a connection to QEMU's machine protocol (docs/interop/qmp-spec): one command at a time, events in between.
type qmp struct {
	conn    net.Conn
	mu      sync.Mutex
	replies chan qmpReply
	resets  chan string
}

type qmpReply struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
	Event string `json:"event"`
	Data  struct {
		Reason string `json:"reason"`
		Guest  bool   `json:"guest"`
	} `json:"data"`
	Greeting json.RawMessage `json:"QMP"`
}

// qmpPatience bounds the wait for an answer: QEMU's main loop gives it.
const qmpPatience = 20 * time.Second

func newQMP(c net.Conn) (*qmp, error) {
	q := &qmp{conn: c, replies: make(chan qmpReply, 1), resets: make(chan string, 16)}
	go q.listen()
	return q, q.do("qmp_capabilities", nil)
}

// listen sorts what QEMU says until it says no more.
func (q *qmp) listen() {
	defer close(q.replies)
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
		case r.Event != "", r.Greeting != nil:
		default:
			q.replies <- r
		}
	}
}

// do has QEMU do something.
func (q *qmp) do(command string, arguments map[string]any) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	order := map[string]any{"execute": command}
	if arguments != nil {
		order["arguments"] = arguments
	}
	if err := json.NewEncoder(q.conn).Encode(order); err != nil {
		return fmt.Errorf("QMP %s: %w", command, err)
	}
	select {
	case r, ok := <-q.replies:
		switch {
		case !ok:
			return fmt.Errorf("QMP %s: %w", command, net.ErrClosed)
		case r.Error != nil:
			return fmt.Errorf("QMP %s: %s: %s", command, r.Error.Class, r.Error.Desc)
		}
		return nil
	case <-time.After(qmpPatience):
		return fmt.Errorf("QMP %s: %w", command, os.ErrDeadlineExceeded)
	}
}
