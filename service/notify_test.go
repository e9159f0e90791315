package service

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// manager stands in for the service manager. While it is stuck no message gets through.
type manager struct {
	mu     sync.Mutex
	heard  []string
	failed error
	open   chan struct{} // closed: messages pass
	begun  chan string   // gets every message whose sending began
}

func newManager(reads bool) *manager {
	m := &manager{open: make(chan struct{}), begun: make(chan string, 1<<16)}
	if reads {
		close(m.open)
	}
	return m
}

func (m *manager) send(message string) error {
	m.begun <- message
	<-m.open
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed != nil {
		return m.failed
	}
	name, _, _ := strings.Cut(message, "\nMONOTONIC_USEC=")
	m.heard = append(m.heard, name)
	return nil
}

func (m *manager) said() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.heard)
}

func (m *manager) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed = err
}

// supervised runs a supervisor in a bubble until the test ends.
func supervised(t *testing.T, m *manager, interval time.Duration) (s *systemd, stop func()) {
	t.Helper()
	s = newSupervisor(slog.New(slog.DiscardHandler))
	s.send, s.interval = m.send, interval
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	return s, func() { cancel(); <-ended }
}

func TestLifeOfAService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(true)
		s, stop := supervised(t, m, 0)
		for _, post := range []func(){
			func() { s.Status("waiting for p4p1") },
			func() { s.Ready("VI_0 BACKUP") },
			func() { s.Status("VI_0 MASTER\nVI_1 FAULT") },
			s.Reloading,
			func() { s.Ready("VI_0 MASTER") },
			s.Stopping,
		} {
			post()
			synctest.Wait()
		}
		stop()
		want := []string{
			"STATUS=waiting for p4p1", "READY=1", "STATUS=VI_0 BACKUP", "STATUS=VI_0 MASTER; VI_1 FAULT",
			"RELOADING=1", "READY=1", "STATUS=VI_0 MASTER", "STOPPING=1",
		}
		if diff := cmp.Diff(want, m.said()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestManagerThatDoesNotRead: posting goes on, the newest status wins, the lifecycle is
// all there in the end.
func TestManagerThatDoesNotRead(t *testing.T) {
	for _, c := range []struct {
		name string
		post func(*systemd)
		want []string
	}{
		{"started", func(s *systemd) { s.Ready("1"); s.Status("2"); s.Status("3") }, []string{"READY=1", "STATUS=3"}},
		{"started and stopped", func(s *systemd) { s.Ready("1"); s.Stopping() }, []string{"READY=1", "STOPPING=1", "STATUS=1"}},
		{"reloaded", func(s *systemd) { s.Reloading(); s.Ready("1") }, []string{"RELOADING=1", "READY=1", "STATUS=1"}},
		{"reloading before it was ready", func(s *systemd) { s.Ready("1"); s.Reloading(); s.Ready("2") }, []string{"RELOADING=1", "READY=1", "STATUS=2"}},
		{"still reloading", func(s *systemd) { s.Ready("1"); s.Reloading() }, []string{"RELOADING=1", "STATUS=1"}},
		{"much", func(s *systemd) {
			for i := range 1000 {
				s.Reloading()
				s.Ready(strconv.Itoa(i))
			}
			s.Stopping()
		}, []string{"RELOADING=1", "READY=1", "STOPPING=1", "STATUS=999"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newManager(false)
				s, stop := supervised(t, m, 0)
				s.Status("stuck")
				<-m.begun // the sender hangs in this one
				start := time.Now()
				c.post(s)
				if took := time.Since(start); took != 0 {
					t.Errorf("posting took %v", took)
				}
				close(m.open)
				synctest.Wait()
				if diff := cmp.Diff(append([]string{"STATUS=stuck"}, c.want...), m.said()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				stop()
			})
		})
	}
}

func TestManagerThatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(true)
		m.fail(errors.New("connection refused"))
		s, stop := supervised(t, m, 0)
		s.Reloading()
		s.Ready("1")
		synctest.Wait()
		time.Sleep(10 * retryNotify) // it goes on trying
		s.Status("2")
		s.Stopping()
		synctest.Wait()
		m.fail(nil)
		time.Sleep(retryNotify)
		synctest.Wait()
		want := []string{"RELOADING=1", "READY=1", "STOPPING=1", "STATUS=2"}
		if diff := cmp.Diff(want, m.said()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		stop()
	})
}

// TestNewerWordDuringAFailure: what could not be sent does not come back over what was
// posted meanwhile.
func TestNewerWordDuringAFailure(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second func(*systemd)
		want          []string
	}{
		{"status", func(s *systemd) { s.Status("old") }, func(s *systemd) { s.Status("new") }, []string{"STATUS=new"}},
		{"status alone", func(s *systemd) { s.Status("old") }, func(*systemd) {}, []string{"STATUS=old"}},
		{"ready", func(s *systemd) { s.Ready("") }, (*systemd).Reloading, []string{"RELOADING=1"}},
		{"ready again", func(s *systemd) { s.Ready("") }, func(s *systemd) { s.Reloading(); s.Ready("") }, []string{"RELOADING=1", "READY=1"}},
		{"reloading", (*systemd).Reloading, func(s *systemd) { s.Ready("") }, []string{"RELOADING=1", "READY=1"}},
		{"reloading again", (*systemd).Reloading, (*systemd).Reloading, []string{"RELOADING=1"}},
		{"stopping", (*systemd).Stopping, func(s *systemd) { s.Status("x") }, []string{"STOPPING=1", "STATUS=x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newManager(false)
				m.fail(errors.New("connection refused"))
				s, stop := supervised(t, m, 0)
				c.first(s)
				<-m.begun
				c.second(s)
				close(m.open)
				synctest.Wait()
				m.fail(nil)
				time.Sleep(retryNotify)
				synctest.Wait()
				if diff := cmp.Diff(c.want, m.said()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				stop()
			})
		})
	}
}

func TestEndIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(false)
		s, stop := supervised(t, m, 0)
		s.Stopping()
		<-m.begun
		start := time.Now()
		stop()
		if took := time.Since(start); took != farewell {
			t.Errorf("Run returned after %v, want %v", took, farewell)
		}
		close(m.open)
	})
}

func TestLastWordIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(true)
		s, stop := supervised(t, m, 0)
		s.Stopping()
		stop()
		if diff := cmp.Diff([]string{"STOPPING=1"}, m.said()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestWatchdogIsFedWhileTheLoopGoesAround(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 9 * time.Second
		m := newManager(true)
		s, stop := supervised(t, m, interval)
		v := &vitals{now: func() time.Duration { return time.Hour }}
		s.Attend(v)
		fed := func() (n int) {
			synctest.Wait()
			for _, message := range m.said() {
				if message == "WATCHDOG=1" {
					n++
				}
			}
			return n
		}
		time.Sleep(interval)
		if got := fed(); got != 0 {
			t.Errorf("fed %d times before the loop began", got)
		}
		time.Sleep(time.Second) // from here between two meals
		for range 30 {
			v.progress()
			time.Sleep(interval / 3)
		}
		before := fed()
		if before != 30 {
			t.Errorf("fed %d times in 30 thirds of the interval", before)
		}
		time.Sleep(interval) // the loop hangs
		if got := fed(); got != before {
			t.Errorf("fed %d times more though the loop hung", got-before)
		}
		v.progress()
		time.Sleep(interval / 3)
		if got := fed(); got != before+1 {
			t.Errorf("fed %d times more after the loop went on", got-before)
		}
		stop()
	})
}

// TestMealThatDidNotArrive: it is not taken for eaten.
func TestMealThatDidNotArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(true)
		m.fail(errors.New("connection refused"))
		s, stop := supervised(t, m, 9*time.Second)
		v := &vitals{now: func() time.Duration { return time.Hour }}
		s.Attend(v)
		v.progress()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		m.fail(nil)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"WATCHDOG=1"}, m.said()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		stop()
	})
}

func TestEnvironment(t *testing.T) {
	for _, c := range []struct {
		name, usec, pid string
		want            time.Duration
	}{
		{"ten seconds", "10000000", strconv.Itoa(os.Getpid()), 10 * time.Second},
		{"for nobody in particular", "10000000", "", 10 * time.Second},
		{"for another process", "10000000", "1", 0},
		{"none", "", "", 0},
		{"nonsense", "soon", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("WATCHDOG_USEC", c.usec)
			t.Setenv("WATCHDOG_PID", c.pid)
			var complaints strings.Builder
			s := newSupervisor(slog.New(slog.NewTextHandler(&complaints, nil)))
			if s.interval != c.want {
				t.Errorf("interval %v, want %v", s.interval, c.want)
			}
			if complained := complaints.Len() > 0; complained != (c.usec == "soon") {
				t.Errorf("complaints: %q", complaints.String())
			}
		})
	}
}

// TestRealSocket speaks to a socket like systemd's; the kernel holds ten messages for a
// reader that does not read, the eleventh blocks its sender.
func TestRealSocket(t *testing.T) {
	name := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", name)
	s := newSupervisor(slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	defer func() { cancel(); <-ended }()

	// Until the queue is full and the sender hangs, statuses are accepted one by one;
	// whether it hangs is seen by one that stays pending.
	pending := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.pending.status != ""
	}
	hangs := func(i int) bool {
		s.Status(strconv.Itoa(i))
		for limit := time.Now().Add(2 * time.Second); time.Now().Before(limit); time.Sleep(time.Millisecond) {
			if !pending() {
				return false
			}
		}
		return true
	}
	stuck := false
	for i := 0; i < 10_000 && !stuck; i++ {
		stuck = hangs(i)
	}
	if !stuck {
		t.Skip("this kernel holds ten thousand messages for a reader that does not read")
	}
	s.Status("forgotten")
	s.Ready("serving")
	s.Stopping()

	var last []string
	buffer := make([]byte, 4096)
	for limit := time.Now().Add(20 * time.Second); !slices.Contains(last, "STATUS=serving"); {
		if err := socket.SetReadDeadline(limit); err != nil {
			t.Fatal(err)
		}
		n, err := socket.Read(buffer)
		if err != nil {
			t.Fatalf("heard %q, then %v", last, err)
		}
		last = append(last, string(buffer[:n]))
	}
	if diff := cmp.Diff([]string{"READY=1", "STOPPING=1", "STATUS=serving"}, last[len(last)-3:]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if slices.Contains(last, "STATUS=forgotten") {
		t.Error("an old status was sent after a newer was posted")
	}
}

func TestNoManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	var complaints strings.Builder
	s := newSupervisor(slog.New(slog.NewTextHandler(&complaints, nil)))
	s.Ready("1")
	s.Stopping()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Run(ctx)
	if complaints.Len() > 0 || s.pending != (words{}) {
		t.Errorf("complaints %q, left %+v", complaints.String(), s.pending)
	}
}
