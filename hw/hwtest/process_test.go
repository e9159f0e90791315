package hwtest_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"standfast/hw/hwtest"

	"golang.org/x/sys/unix"
)

// TestProcessesDie starts two processes, one of which has a descendant in a session of its own, and closes the laboratory.
func TestProcessesDie(t *testing.T) {
	lab, err := hwtest.Open()
	if err != nil {
		hwtest.New(t) // skips with the reason
		t.Fatal(err)
	}
	defer lab.Close()
	r, err := lab.Router("r")
	check(t, err)
	first, err := r.Start(exec.Command("/bin/sh", "-c", "setsid sleep 1000 & sleep 1000"))
	check(t, err)
	second, err := r.Start(exec.Command("/bin/sleep", "1000"))
	check(t, err)
	var pids []int
	for deadline := time.Now().Add(patience); len(pids) < 4 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		pids, err = r.Namespace().Pids()
		check(t, err)
	}
	if len(pids) < 4 {
		t.Fatalf("processes %v, want the shell, its two children and the sleeper", pids)
	}
	check(t, r.Namespace().Signal(syscall.SIGSTOP)) // who is stopped must die as well
	check(t, lab.Close())
	check(t, lab.Close())
	for _, p := range []*hwtest.Process{first, second} {
		if p.Wait() == nil {
			t.Errorf("process %d ended by itself", p.Pid())
		}
	}
	for _, pid := range pids {
		if comm, err := os.ReadFile("/proc/" + itoa(pid) + "/comm"); err == nil && !isZombie(pid) {
			t.Errorf("process %d (%s) lives on", pid, bytes.TrimSpace(comm))
		}
	}
	if _, err := r.Start(exec.Command("/bin/true")); err == nil {
		t.Error("a process was started in a closed laboratory")
	}
}

func TestProcessSeesItsRouter(t *testing.T) {
	bed := newBed(t)
	var out bytes.Buffer
	cmd := exec.Command("/bin/sh", "-c", "ls /sys/class/net; ls -A /run; echo $$ > /run/here; cat /sys/class/net/p4p1/carrier")
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := bed.a.Start(cmd)
	check(t, err)
	if err := p.Wait(); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if got := strings.Fields(out.String()); strings.Join(got, " ") != "lo p3p1 p4p1 1" {
		t.Errorf("a process in the router sees %q", got)
	}
	if _, err := os.Stat("/run/here"); err == nil {
		t.Error("the router's /run is the host's")
	}
	if err := p.Signal(syscall.SIGTERM); err == nil {
		t.Error("a process that ended took a signal")
	}
}

// TestNothingLeaks opens and closes laboratories and counts descriptors and threads.
func TestNothingLeaks(t *testing.T) {
	cycle := func() {
		lab := hwtest.New(t)
		r, err := lab.Router("r")
		check(t, err)
		s, err := lab.Switch("s")
		check(t, err)
		_, err = s.Connect(r, "p0")
		check(t, err)
		h, err := s.Host("h", client)
		check(t, err)
		_, err = lab.Observe(hwtest.Watch{Routers: []*hwtest.Router{r}, VIPs: []hwtest.VIP{{Addr: vip.Addr(), From: h}}})
		check(t, err)
		check(t, lab.Close())
	}
	cycle()
	before := count(t, "/proc/self/fd")
	for range 5 {
		cycle()
	}
	if after := count(t, "/proc/self/fd"); after > before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

func count(t *testing.T, folder string) int {
	t.Helper()
	entries, err := os.ReadDir(folder)
	check(t, err)
	return len(entries)
}

// TestAsNobody runs a test of this package as nobody, who has no right but to make a user namespace, with a tun node that is
// made for the purpose.
func TestAsNobody(t *testing.T) {
	if os.Geteuid() != 0 || os.Getenv("STANDFAST_LAB_INSIDE") != "" {
		t.Skip("only root can make a tun node and become nobody")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "standfast-nobody")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	check(t, os.Chmod(dir, 0o755))
	node, program := filepath.Join(dir, "tun"), filepath.Join(dir, "hwtest.test")
	check(t, unix.Mknod(node, unix.S_IFCHR|0o666, int(unix.Mkdev(10, 200))))
	check(t, os.Chmod(node, 0o666))
	self, err := os.ReadFile("/proc/self/exe")
	check(t, err)
	check(t, os.WriteFile(program, self, 0o755))
	cmd := exec.Command(program, "-test.run=^(TestPowerOff|TestProcessSeesItsRouter|TestProcessesDie)$", "-test.v", "-test.timeout=60s")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), hwtest.TunVariable+"="+node, "HOME="+dir, "GOCOVERDIR=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), hwtest.ErrNotPermitted.Error()) {
		t.Skipf("this system forbids it: %s", out)
	}
	if err != nil || strings.Count(string(out), "--- PASS") != 3 {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

// isZombie tells whether a process is dead and only waits to be collected by whoever inherited it.
func isZombie(pid int) bool {
	status, err := os.ReadFile("/proc/" + itoa(pid) + "/stat")
	return err != nil || bytes.Contains(status, []byte(") Z"))
}
