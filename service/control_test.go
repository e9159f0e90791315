package service

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"
)

// runtimeDir is a folder whose name is short enough for a socket in it.
func runtimeDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "standfast")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

type answerFunc = func(context.Context, Request) (any, error)

// noReload is for a service that is not asked to.
func noReload(context.Context) (ReloadDocument, error) {
	return ReloadDocument{}, errors.ErrUnsupported
}

// control serves the control socket of a new runtime directory until the test
// ends or stop is called, which waits for the end.
func control(t *testing.T, patience time.Duration, answer answerFunc) (dir string, stop func()) {
	t.Helper()
	dir = runtimeDir(t)
	l, err := openControl(dir, fstest.MapFS{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		newController(answer, patience).serve(ctx, l)
		close(ended)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return dir, stop
}

// dial connects to the control socket.
func dial(t *testing.T, dir string) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", filepath.Join(dir, controlSocket))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// refused reads an answer that has to be a refusal.
func refused(t *testing.T, conn net.Conn) string {
	t.Helper()
	text, broken := io.ReadAll(conn) // a request that was not read to its end breaks the connection after the answer
	var no refusal
	if err := json.Unmarshal(text, &no); err != nil || no.Error == "" {
		t.Fatalf("%q is no refusal: %v, %v", text, err, broken)
	}
	return no.Error
}

func TestQuery(t *testing.T) {
	dir, _ := control(t, controlPatience, func(_ context.Context, r Request) (any, error) {
		if r.Instance == "none" {
			return nil, errors.New("there is none")
		}
		return map[string]string{"verb": r.Verb, "instance": r.Instance}, nil
	})
	got, err := Query(t.Context(), dir, Request{Verb: "why", Instance: "VI_0"})
	if err != nil || string(got) != `{"instance":"VI_0","verb":"why"}`+"\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := Query(t.Context(), dir, Request{Instance: "none"}); err == nil || err.Error() != "the service refuses: there is none" {
		t.Errorf("got %v", err)
	}
}

func TestControlRefuses(t *testing.T) {
	dir, _ := control(t, controlPatience, answerer(func(context.Context) (Snapshot, error) { return Snapshot{}, nil }, noReload))
	for _, test := range []struct{ name, request, want string }{
		{"garbage", "hello\n", "not a request: invalid character"},
		{"unknown field", `{"verb":"status","force":true}`, `not a request: json: unknown field "force"`},
		{"unknown verb", `{"verb":"reboot"}`, `"reboot" is no verb of this version: status, why, reload`},
		{"no verb", `{}`, `"" is no verb`},
		{"too long", `{"verb":"` + strings.Repeat("x", controlRequest) + `"}`, "not a request: unexpected EOF"},
		{"unknown instance", `{"verb":"why","instance":"x"}`, "there is no instance x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn := dial(t, dir)
			if _, err := io.WriteString(conn, test.request); err != nil {
				t.Fatal(err)
			}
			if got := refused(t, conn); !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestControlBounds: clients that say nothing keep out nobody who asks, and do not stay for long.
func TestControlBounds(t *testing.T) {
	dir, _ := control(t, 300*time.Millisecond, func(context.Context, Request) (any, error) { return struct{}{}, nil })
	silent := make([]net.Conn, 3*controlClients)
	for i := range silent {
		silent[i] = dial(t, dir)
	}
	if _, err := Query(t.Context(), dir, Request{Verb: "status"}); err != nil {
		t.Errorf("beside silent clients: %v", err)
	}
	for i, conn := range silent {
		want := "timeout"
		if i <= len(silent)-controlClients { // it had to give way to who came after it
			want = errCrowded.Error()
		}
		if got := refused(t, conn); !strings.Contains(got, want) {
			t.Errorf("client %d: got %q, want %q", i, got, want)
		}
	}
}

// TestControlIsFull: who asks gives way to nobody.
func TestControlIsFull(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	dir, _ := control(t, controlPatience, func(context.Context, Request) (any, error) {
		asked <- struct{}{}
		<-answer
		return struct{}{}, nil
	})
	answered := make(chan error, controlClients)
	for range controlClients {
		go func() {
			_, err := Query(t.Context(), dir, Request{Verb: "status"})
			answered <- err
		}()
		<-asked
	}
	if got := refused(t, dial(t, dir)); got != errCrowded.Error() {
		t.Errorf("got %q", got)
	}
	close(answer)
	for range controlClients {
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
}

// TestControlOfStuckLoop: the service says so when its loop does not answer.
func TestControlOfStuckLoop(t *testing.T) {
	dir, _ := control(t, 100*time.Millisecond, answerer((&service{queries: make(chan chan<- Snapshot)}).look, noReload))
	_, err := Query(t.Context(), dir, Request{Verb: "status"})
	if err == nil || !strings.Contains(err.Error(), "its loop does not answer") {
		t.Errorf("got %v", err)
	}
}

func TestControlEnds(t *testing.T) {
	dir, stop := control(t, time.Hour, func(context.Context, Request) (any, error) { return struct{}{}, nil })
	idle := dial(t, dir)
	if _, err := Query(t.Context(), dir, Request{Verb: "status"}); err != nil { // so the idle client has been accepted
		t.Fatal(err)
	}
	stop()
	if got := refused(t, idle); !strings.Contains(got, "timeout") {
		t.Errorf("got %q", got)
	}
	if _, err := Query(t.Context(), dir, Request{Verb: "status"}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
}

func TestQueryOfNobody(t *testing.T) {
	dir := runtimeDir(t)
	for _, where := range []string{dir, filepath.Join(dir, "nowhere")} {
		if _, err := Query(t.Context(), where, Request{}); !errors.Is(err, ErrNotRunning) {
			t.Errorf("%s: %v", where, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, controlSocket), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Query(t.Context(), dir, Request{}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("no socket: %v", err)
	}
}

// TestQueryOfLiar: an answer that breaks off, or is none, is not taken for one.
func TestQueryOfLiar(t *testing.T) {
	dir := runtimeDir(t)
	l, err := net.Listen("unix", filepath.Join(dir, controlSocket))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = json.NewDecoder(conn).Decode(new(Request))
			_, _ = io.WriteString(conn, `{"instances":[{"na`)
			_ = conn.Close()
		}
	}()
	if _, err := Query(t.Context(), dir, Request{}); err == nil || !strings.Contains(err.Error(), "broke off its answer") {
		t.Errorf("got %v", err)
	}
}

// TestQueryForbidden asks on a thread with the file rights of nobody.
func TestQueryForbidden(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can take the rights of somebody else")
	}
	dir, _ := control(t, controlPatience, func(context.Context, Request) (any, error) { return struct{}{}, nil })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	asked := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Setfsuid(65534); err != nil {
			asked <- err
			return
		}
		_, err := Query(t.Context(), dir, Request{})
		asked <- err
	}()
	if err := <-asked; !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "as root or as a member of the group") {
		t.Errorf("got %v", err)
	}
}

func TestOpenControl(t *testing.T) {
	for _, test := range []struct {
		name, groups string
		want         fs.FileMode
	}{
		{"no file of groups", "", 0o600},
		{"no such group", "root:x:0:\n", 0o600},
		{"group", "root:x:0:\nstandfast:x:" + "4711" + ":ann,bob\n", 0o660},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.want == 0o660 && os.Geteuid() != 0 {
				t.Skip("only root can give a file to another group")
			}
			dir, files := runtimeDir(t), fstest.MapFS{}
			if test.groups != "" {
				files["etc/group"] = &fstest.MapFile{Data: []byte(test.groups)}
			}
			for range 2 { // the second time over what the first left behind
				l, err := openControl(dir, files)
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
			}
			info, err := os.Stat(filepath.Join(dir, controlSocket))
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode(); got != fs.ModeSocket|test.want {
				t.Errorf("mode %v, want %v", got, test.want)
			}
			var s unix.Stat_t
			if err := unix.Stat(filepath.Join(dir, controlSocket), &s); err != nil {
				t.Fatal(err)
			}
			if given := s.Gid == 4711; given != (test.want == 0o660) {
				t.Errorf("group %d", s.Gid)
			}
		})
	}
}

func TestOpenControlNowhere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("x", 120))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{dir, filepath.Join(dir, "nowhere")} {
		if _, err := openControl(where, fstest.MapFS{}); err == nil || !strings.Contains(err.Error(), "--runtime-dir") {
			t.Errorf("got %v", err)
		}
	}
}

func TestGroupID(t *testing.T) {
	for text, want := range map[string]int{
		"standfast:x:7:":                7,
		"root:x:0:\nstandfast:x:8:a\n":  8,
		"standfast:x":                   -1,
		"standfast:x:many:":             -1,
		"standfast:x:-1:":               -1,
		"standfast2:x:7:\n#standfast::": -1,
	} {
		got, ok := groupID(fstest.MapFS{"etc/group": {Data: []byte(text)}}, controlGroup)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %d, %v", text, got, ok)
		}
	}
}

// TestSecondInstance: one runtime directory has one service.
func TestSecondInstance(t *testing.T) {
	dir := runtimeDir(t)
	unlock, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(dir); !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), dir) {
		t.Errorf("the second: %v", err)
	}
	unlock()
	again, err := lock(dir)
	if err != nil {
		t.Fatalf("after the first: %v", err)
	}
	again()
}

// In a folder of the operators' group the socket is theirs without the right to give anything away.
func TestControlGroupOfTheFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give the folder to a group")
	}
	const gid = 4711
	files := fstest.MapFS{"etc/group": {Data: []byte("standfast:x:4711:\n")}}
	dir := runtimeDir(t)
	if err := errors.Join(os.Chown(dir, -1, gid), os.Chmod(dir, 0o755|os.ModeSetgid)); err != nil {
		t.Fatal(err)
	}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := drop([]uint{unix.CAP_CHOWN, unix.CAP_FSETID}); err != nil {
			made <- err
			return
		}
		l, err := openControl(dir, files)
		if err == nil {
			err = l.Close()
		}
		made <- err
	}()
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, controlSocket)
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o660 || !belongs(name, gid) {
		t.Errorf("the socket: %v, %v; is it the group's? %v", info, err, belongs(name, gid))
	}
}
