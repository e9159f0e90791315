package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"standfast/service/helper"
)

// The control socket answers questions about a running service: a client sends
// one Request as JSON, gets one document as JSON on a line, and is done. It is
// a goroutine's business, never the loop's, which is only asked for a snapshot,
// or to read its configuration again.

const (
	// controlSocket is the socket in the runtime directory.
	controlSocket = "control.sock"
	// controlGroup may use it besides root, where the host has such a group.
	controlGroup = "standfast"

	// controlClients bounds the clients at once, controlRequest their requests
	// in bytes, controlPatience how long a client may take to ask, the loop to
	// tell, and the client again to take the answer.
	controlClients  = 16
	controlRequest  = 4 << 10
	controlPatience = 5 * time.Second
	// queryPatience is how long a client waits: longer than the loop is waited
	// for, so that the client hears why it got no answer.
	queryPatience = 2 * controlPatience
	// maxDocument bounds an answer in bytes, far above that of a thousand instances.
	maxDocument = 16 << 20
)

// ErrNotRunning says that no service answers in the runtime directory.
var ErrNotRunning = errors.New("standfast is not running")

// Request is a question to a running service. A field that the service does not
// know is refused, so that no client takes half an answer for a whole one.
type Request struct {
	Verb     string `json:"verb"`               // status, why or reload
	Instance string `json:"instance,omitempty"` // why: this one only
}

// The verbs.
const (
	verbStatus = "status"
	verbWhy    = "why"
	verbReload = "reload"
)

// changes says that a request is not only a question: it is for root and the user of the service, whoever else may ask.
func (r Request) changes() bool { return r.Verb == verbReload }

// patience is how long the answer may take besides.
func (r Request) patience() time.Duration {
	if r.Verb == verbReload {
		return reloadPatience
	}
	return 0
}

// refusal is the answer to a request that has no other.
type refusal struct {
	Error string `json:"error"`
}

// openControl makes the control socket. Whoever holds the lock of the runtime
// directory may do so: what lies there is left from a previous run. The socket
// appears under its name only when its rights are settled.
func openControl(dir string, files fs.FS) (net.Listener, error) {
	name := filepath.Join(dir, controlSocket)
	fresh := name + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot make the control socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fresh, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("cannot make the control socket, name another place with --runtime-dir: %w", err)
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(restrict(fresh, files), os.Rename(fresh, name)); err != nil {
		return nil, fmt.Errorf("cannot make the control socket: %w", errors.Join(err, l.Close()))
	}
	return l, nil
}

// restrict gives the socket to root and the group of operators, or to its owner
// alone where there is no such group or it may not be given to it. In a folder
// that is the group's it is from the beginning, which needs no right.
func restrict(name string, files fs.FS) error {
	gid, ok := groupID(files, controlGroup)
	if ok && (belongs(name, gid) || os.Chown(name, -1, gid) == nil) {
		return os.Chmod(name, 0o660)
	}
	return os.Chmod(name, 0o600)
}

func belongs(name string, gid int) bool {
	var st unix.Stat_t
	return unix.Lstat(name, &st) == nil && int(st.Gid) == gid
}

// groupID looks a group up in the group file. A name service would need cgo and
// may hang with the network; the file is read before anything depends on it.
func groupID(files fs.FS, group string) (int, bool) {
	text, err := fs.ReadFile(files, "etc/group")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 3 || f[0] != group {
			continue
		}
		gid, err := strconv.ParseUint(f[2], 10, 31)
		return int(gid), err == nil
	}
	return 0, false
}

// controller answers the clients of the control socket. There is place for so
// many; when none is left, whoever was silent longest gives way, so that clients
// who say nothing keep out nobody who asks.
type controller struct {
	answer   func(context.Context, Request) (any, error)
	patience time.Duration
	working  sync.WaitGroup

	mu      sync.Mutex
	silent  []net.Conn // have a place and have not asked yet, the oldest first
	talking int        // clients that asked and have no answer yet
}

// errCrowded is that all places are taken.
var errCrowded = errors.New("too many clients at once, try again")

// controlled answers clients until ctx ends.
func (s *service) controlled(ctx context.Context) {
	if s.control == nil {
		return
	}
	newController(answerer(s.look, s.reload), controlPatience).serve(ctx, s.control)
}

func newController(answer func(context.Context, Request) (any, error), patience time.Duration) *controller {
	return &controller{answer: answer, patience: patience}
}

// serve answers clients until ctx ends, and closes l.
func (c *controller) serve(ctx context.Context, l net.Listener) {
	ended := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer ended()
	defer c.working.Wait()
	for ctx.Err() == nil {
		conn, err := l.Accept()
		if err != nil {
			pause(ctx, 100*time.Millisecond) // no descriptor left, most likely
			continue
		}
		if !c.admit(conn) {
			reply(conn, 100*time.Millisecond, refusal{errCrowded.Error()})
			continue
		}
		c.working.Go(func() { c.client(ctx, conn) })
	}
}

// admit gives a client a place, if need be that of another.
func (c *controller) admit(conn net.Conn) bool {
	_ = conn.SetReadDeadline(time.Now().Add(c.patience)) // fails on a closed connection only, and so will Decode
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.silent)+c.talking >= controlClients {
		if len(c.silent) == 0 {
			return false
		}
		_ = c.silent[0].SetReadDeadline(time.Unix(1, 0))
		c.silent = slices.Delete(c.silent, 0, 1)
	}
	c.silent = append(c.silent, conn)
	return true
}

// hears says that a client has ended its silence, and whether it still had its
// place. It is talking from then on.
func (c *controller) hears(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.Index(c.silent, conn)
	if at < 0 {
		return false
	}
	c.silent = slices.Delete(c.silent, at, at+1)
	c.talking++
	return true
}

func (c *controller) leaves() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.talking--
}

// pause waits, but not for longer than ctx lives.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// client answers one client.
func (c *controller) client(ctx context.Context, conn net.Conn) {
	ended := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer ended()
	var r Request
	d := json.NewDecoder(io.LimitReader(conn, controlRequest))
	d.DisallowUnknownFields()
	err := d.Decode(&r)
	if !c.hears(conn) {
		reply(conn, c.patience, refusal{errCrowded.Error()})
		return
	}
	defer c.leaves()
	if err != nil {
		reply(conn, c.patience, refusal{"not a request: " + err.Error()})
		return
	}
	asking, cancel := context.WithTimeout(ctx, c.patience+r.patience())
	defer cancel()
	document, err := c.ask(asking, conn, r)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		reply(conn, c.patience, refusal{"the service is alive but its loop does not answer"})
	case err != nil:
		reply(conn, c.patience, refusal{err.Error()})
	default:
		reply(conn, c.patience, document)
	}
}

// ask has a request answered if whoever sent it may.
func (c *controller) ask(ctx context.Context, conn net.Conn, r Request) (any, error) {
	if !r.changes() {
		return c.answer(ctx, r)
	}
	local, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, fmt.Errorf("%s is not for who cannot be known: %w", r.Verb, errors.ErrUnsupported)
	}
	if err := helper.CheckPeer(local); err != nil {
		return nil, err
	}
	return c.answer(ctx, r)
}

// reply sends a document and hangs up. A client that went away before it had
// its answer is nobody's concern.
func reply(conn net.Conn, patience time.Duration, document any) {
	text, err := json.Marshal(document)
	if err != nil {
		text = []byte(`{"error":"the answer cannot be written as JSON"}`)
	}
	_ = conn.SetWriteDeadline(time.Now().Add(patience))
	_, _ = conn.Write(append(text, '\n'))
	_ = conn.Close()
}

// answerer answers requests from what the loop tells of itself, or has done.
func answerer(look func(context.Context) (Snapshot, error), reload func(context.Context) (ReloadDocument, error)) func(context.Context, Request) (any, error) {
	return func(ctx context.Context, r Request) (any, error) {
		switch r.Verb {
		case verbReload:
			return reload(ctx)
		case verbStatus, verbWhy:
		default:
			return nil, fmt.Errorf("%q is no verb of this version: %s, %s, %s", r.Verb, verbStatus, verbWhy, verbReload)
		}
		s, err := look(ctx)
		if err != nil {
			return nil, err
		}
		if r.Verb == verbWhy {
			return whyDocument(s, r.Instance)
		}
		return statusDocument(s), nil
	}
}

// Query asks the service in the runtime directory and returns its document. When
// nobody is there to answer the error is ErrNotRunning; a socket that may not be
// used is fs.ErrPermission.
func Query(ctx context.Context, runtimeDir string, r Request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, queryPatience+r.patience())
	defer cancel()
	name := filepath.Join(runtimeDir, controlSocket)
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ECONNREFUSED):
		return nil, fmt.Errorf("%w in %s; if it runs with another --runtime-dir, give it here too", ErrNotRunning, runtimeDir)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: ask as root or as a member of the group %s", err, controlGroup)
	case err != nil:
		return nil, fmt.Errorf("cannot ask the service: %w", err)
	}
	defer conn.Close()
	if until, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(until)
	}
	// Who is refused at once cannot ask any more, and finds the reason all the same.
	if err := json.NewEncoder(conn).Encode(r); err != nil && !errors.Is(err, unix.EPIPE) {
		return nil, fmt.Errorf("cannot ask the service: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(conn, maxDocument))
	if err != nil {
		return nil, fmt.Errorf("the service does not answer: %w", err)
	}
	var no refusal
	if err := json.Unmarshal(text, &no); err != nil {
		return nil, fmt.Errorf("the service broke off its answer: %w", err)
	}
	if no.Error != "" {
		return nil, fmt.Errorf("the service refuses: %s", no.Error)
	}
	return text, nil
}
