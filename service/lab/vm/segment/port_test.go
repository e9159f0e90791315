package segment

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// await polls a condition.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 10 s:", what)
		}
	}
}

// TestListen has machines come by unix sockets, go, and come again.
func TestListen(t *testing.T) {
	dir := t.TempDir()
	plugs := []Plug{{"A", filepath.Join(dir, "a")}, {"B", filepath.Join(dir, "b")}}
	s, err := Listen("LAN", time.Now(), plugs...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen("LAN", time.Now(), plugs...); !errors.Is(err, syscall.EADDRINUSE) || !strings.HasPrefix(err.Error(), "LAN: port of A: ") {
		t.Errorf("sockets that are taken: %v", err)
	}
	if s.Name() != "LAN" || s.Port("C") != nil || len(s.Ports()) != 2 || s.Ports()[1].Machine() != "B" {
		t.Errorf("%s with ports %v", s.Name(), s.Ports())
	}
	dial := func(i int, mac MAC, serves ...netip.Addr) *machine {
		conn, err := net.Dial("unix", plugs[i].Socket)
		if err != nil {
			t.Fatal(err)
		}
		return boot(conn, mac, serves...)
	}
	asker := s.Host("asker", macAsk, prefix("192.168.10.101/24"), netip.Addr{}).Ask(time.Millisecond, vip)
	answers := func(machine string, mac MAC) func() bool {
		return func() bool {
			r := asker.Record(vip)
			n := len(r.Answers)
			return n > 0 && r.Answers[n-1].Machine == machine && r.Answers[n-1].MAC == mac
		}
	}
	a := dial(0, macA, vip)
	await(t, "A answers", answers("A", macA))
	a.off()
	await(t, "A is off", func() bool { return !s.Port("A").Connected() })
	b := dial(1, macB, vip)
	await(t, "B answers", answers("B", macB))
	b.serve(vip, false)
	first := dial(0, macA)
	await(t, "A is back", s.Port("A").Connected)
	second := dial(0, macHO, vip)
	await(t, "the later one at the port of A answers", answers("A", macHO))
	first.task.Wait() // its connection was closed
	if !s.Port("A").Connected() {
		t.Error("the end of a connection that was replaced unplugs its successor")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	b.task.Wait()
	second.task.Wait()
	if _, err := net.Dial("unix", plugs[0].Socket); err == nil {
		t.Error("a closed segment listens")
	}
}

// TestMalformed has a machine send what is no frame.
func TestMalformed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSegment("LAN", time.Now(), "A", "B")
		a, b := plug(s, "A", macA), plug(s, "B", macB)
		a.send([]byte("too short"))
		a.send(frame(broadcast(), macA))
		synctest.Wait()
		if got := b.took(macA); got != 1 {
			t.Errorf("B got %d frames, want the one that is one", got)
		}
		a.conn.Write([]byte{0xff, 0xff, 0xff, 0xff})
		a.task.Wait()
		synctest.Wait()
		if diff := cmp.Diff(Counters{In: 2, Malformed: 2}, s.Port("A").Counters()); diff != "" || s.Port("A").Connected() {
			t.Errorf("connected %v, counters (-want +got):\n%s", s.Port("A").Connected(), diff)
		}
		s.Close()
		b.task.Wait()
	})
}

// TestStandstill has a machine fetch nothing for a while: nobody waits for it, and afterwards it gets only what is not too old.
func TestStandstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSegment("LAN", time.Now(), "A", "B")
		ours, theirs := net.Pipe()
		s.Port("A").connect(theirs)
		b := plug(s, "B", macB)
		say := func(times int, body byte) {
			for range times {
				b.send(frame(broadcast(), macB, body))
			}
			synctest.Wait()
		}
		say(queueLimit+1+5, 1) // one is being written
		if got := s.Port("A").Counters(); got.Dropped != 5 {
			t.Errorf("dropped %d, want 5", got.Dropped)
		}
		time.Sleep(queueAge + 1)
		got := make(map[byte]int)
		go func() {
			for {
				f, err := readFrame(ours)
				if err != nil {
					return
				}
				got[f[etherSize]]++
			}
		}()
		synctest.Wait()
		say(3, 2)
		if diff := cmp.Diff(map[byte]int{1: 1, 2: 3}, got); diff != "" {
			t.Errorf("frames of before and after (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(Counters{Out: 4, Dropped: queueLimit + 5}, s.Port("A").Counters()); diff != "" {
			t.Errorf("counters (-want +got):\n%s", diff)
		}
		s.Close()
		b.task.Wait()
	})
}

// TestCutSwallowsWhatWaits has a cut begin while frames wait for a machine.
func TestCutSwallowsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSegment("LAN", time.Now(), "A", "B")
		ours, theirs := net.Pipe()
		s.Port("A").connect(theirs)
		b := plug(s, "B", macB)
		for range 4 {
			b.send(frame(broadcast(), macB))
		}
		synctest.Wait()
		s.Port("A").Cut(true)
		n := 0
		go func() {
			for {
				if _, err := readFrame(ours); err != nil {
					return
				}
				n++
			}
		}()
		synctest.Wait()
		if diff := cmp.Diff(Counters{Out: 1, Cut: 3}, s.Port("A").Counters()); diff != "" || n != 1 {
			t.Errorf("%d arrived, counters (-want +got):\n%s", n, diff)
		}
		s.Close()
		b.task.Wait()
	})
}

// TestClosed has everything end with the segment, and a connection that comes too late.
func TestClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSegment("LAN", time.Now(), "A")
		h := s.Host("client", macHO, prefix("192.168.10.100/24"), vip)
		h.Ping(addr("203.0.113.100"), 10*ms)
		asker := h.Ask(10*ms, vip)
		adverts := s.Adverts()
		time.Sleep(105 * ms)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if got := len(asker.Record(vip).Questions); got != 11 {
			t.Errorf("%d questions, want 11", got)
		}
		asker.Stop()
		asker.Stop()
		adverts.Stop()
		ours, theirs := net.Pipe()
		s.Port("A").connect(theirs)
		if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("reading from a closed segment: %v", err)
		}
	})
}
