package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"standfast/service"
)

// A thread is how the kernel schedules one: its policy (0 ordinary, 2 round-robin), its real-time priority and its nice value.
type thread struct{ policy, priority, nice int }

// threads reads those of a process.
func threads(t *testing.T, pid int) map[thread]int {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	check(t, err)
	found := map[thread]int{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		_, after, _ := strings.Cut(string(text), ") ") // behind the name, field 3 is first
		fields := strings.Fields(after)
		number := func(field int) int {
			n, err := strconv.Atoi(fields[field-3])
			check(t, err)
			return n
		}
		one := thread{policy: number(41), priority: number(40), nice: number(19)}
		if one.policy != 0 {
			one.nice = 0 // it counts for ordinary ones only
		}
		found[one]++
	}
	return found
}

// unlocked lists the mappings of a process's executable that are not wholly in memory for good.
func unlocked(t *testing.T, pid int) (list []string) {
	t.Helper()
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	check(t, err)
	smaps, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	check(t, err)
	var at string
	var size, resident int
	for line := range strings.Lines(string(smaps)) {
		f := strings.Fields(line)
		switch {
		case strings.HasSuffix(f[0], ":") && at == "":
		case !strings.HasSuffix(f[0], ":"):
			if at = ""; len(f) > 5 && f[5] == exe {
				at = strings.TrimSpace(line)
			}
		case f[0] == "Size:":
			size, err = strconv.Atoi(f[1])
			check(t, err)
		case f[0] == "Rss:":
			resident, err = strconv.Atoi(f[1])
			check(t, err)
		case f[0] == "VmFlags:" && (size != resident || !strings.Contains(line, " lo")):
			list = append(list, fmt.Sprintf("%s: %d of %d KB, %s", at, resident, size, strings.TrimSpace(line)))
		}
	}
	return list
}

// bodyOf asks a daemon for what it says of itself.
func bodyOf(t *testing.T, m *Member) service.NodeDocument {
	t.Helper()
	out, err := m.Ask("status", "--json")
	var d service.StatusDocument
	if json.Unmarshal([]byte(out), &d) != nil {
		t.Fatalf("status of %s: %v: %s", m.Name(), err, out)
	}
	return d.Node
}

// TestBody: every thread of the service is real time, and none of its helpers'; its executable is locked in memory to the last page;
// adverts that left are counted by their lateness; and a reload takes real time away and gives it back.
func TestBody(t *testing.T) {
	t.Parallel()
	s := stage(t, Options{})
	s.start(s.A)
	_, err := s.A.AwaitStatus(bootWait+masterDownA, func(Status) bool { return true })
	check(t, err)
	var node service.NodeDocument
	if !Eventually(bootWait+masterDownA, func() bool { node = bodyOf(t, s.A); return node.Lateness.Adverts > 1 }) {
		t.Fatalf("no adverts are counted: %+v", node.Lateness)
	}
	if len(node.Body.Remarks) > 0 || node.Body.Locked != "all" {
		t.Skipf("not everything is permitted here: %+v", node.Body)
	}
	daemon := s.A.Daemon().Pid()
	realTime := thread{policy: 2, priority: 10}
	if got := threads(t, daemon); len(got) != 1 || got[realTime] < 2 {
		t.Errorf("threads of the service: %v, want %v only", got, realTime)
	}
	if list := unlocked(t, daemon); len(list) > 0 {
		t.Errorf("not locked in memory:\n%s", strings.Join(list, "\n"))
	}
	pids, err := s.A.Namespace().Pids()
	check(t, err)
	helpers := 0
	for _, pid := range pids {
		if pid == daemon {
			continue
		}
		helpers++
		for one := range threads(t, pid) {
			if one.policy != 0 || one.nice < 0 {
				t.Errorf("a helper's thread has %+v", one)
			}
		}
	}
	if helpers == 0 {
		t.Error("the service has no helpers")
	}
	b, l := node.Body, node.Lateness
	if b.Scheduling != "round-robin 10" || b.Watchdog != "off" || b.Proportional < 1<<20 || b.Resident < b.Proportional || l.P50 > l.P9999 || l.P9999 > l.Max {
		t.Errorf("it says of itself: %+v, %+v", b, l)
	}
	for _, c := range []struct {
		line string
		want thread
	}{{"vrrp_rt_priority 0\nvrrp_priority -3", thread{nice: -3}}, {"vrrp_rt_priority 7", thread{policy: 2, priority: 7}}} {
		s.A.reload(t, "global_defs {\n"+c.line+"\n}\n"+string(s.A.Config))
		var got map[thread]int
		if !Eventually(10*time.Second, func() bool { got = threads(t, daemon); return len(got) == 1 && got[c.want] > 0 }) {
			t.Errorf("after a reload with %s: %v, want %v only", c.line, got, c.want)
		}
	}
}

// reload gives the daemon another configuration.
func (m *Member) reload(t *testing.T, config string) {
	t.Helper()
	_, err := m.daemon.install(m.dir, []byte(config))
	check(t, err)
	check(t, m.process.Signal(syscall.SIGHUP))
}
