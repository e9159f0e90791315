package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"standfast/configfs"
	"standfast/hw/hwtest"
	"standfast/service"

	"golang.org/x/sys/unix"
)

// A lone is one router of the laboratory without a peer. Its heartbeat port is on a switch that nobody else is on.
type lone struct {
	*Member
	t   *testing.T
	lab *hwtest.Lab
}

// newLone makes a router with the given ports of the story.
func newLone(t *testing.T, ports ...string) *lone {
	t.Helper()
	l := hwtest.New(t)
	r, err := l.Router("A")
	check(t, err)
	m := &Member{Router: r, Config: configfs.Story("RTR-CORE-A", priorityA), Log: new(Log), dir: t.TempDir()}
	one := &lone{Member: m, t: t, lab: l}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the journal:\n%s", m.Log)
		}
	})
	for _, name := range ports {
		one.plug(name)
	}
	return one
}

// plug gives the router a port on a switch of its own, with a gateway.
func (l *lone) plug(name string) {
	l.t.Helper()
	lan, err := l.lab.Switch(name)
	check(l.t, err)
	port, err := lan.Connect(l.Router, name)
	check(l.t, err)
	switch name {
	case HeartbeatPort:
		check(l.t, port.AddAddress(netip.MustParsePrefix("10.255.0.1/30")))
	case "p3p1":
		check(l.t, lan.AddGateway(netip.MustParsePrefix("192.168.10.254/24")))
	case "p3p2":
		check(l.t, lan.AddGateway(netip.MustParsePrefix("192.168.20.254/24")))
	case "p1p1":
		check(l.t, lan.AddGateway(netip.MustParsePrefix("203.0.113.254/24")))
	}
}

// run runs the product to its end and returns what it said and its exit status.
func (l *lone) run(args ...string) (string, int) {
	l.t.Helper()
	var out Log
	cmd := exec.Command(product(l.t), args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := l.Router.Start(cmd)
	check(l.t, err)
	select {
	case <-p.Done():
	case <-time.After(settlePatience):
		check(l.t, p.Signal(syscall.SIGKILL))
		p.Wait()
		l.t.Fatalf("%v goes on: %s", args, &out)
	}
	ended, ok := errors.AsType[*exec.ExitError](p.Wait())
	if !ok {
		return out.String(), 0
	}
	return out.String(), ended.ExitCode()
}

// refused complains if the product runs with a file, or refuses it otherwise than with these words and this status.
func (l *lone) refused(file string, status int, words ...string) string {
	l.t.Helper()
	out, got := l.run("run", "-f", file, "--runtime-dir", RuntimeDir)
	if got != status {
		l.t.Errorf("exit status %d, want %d: %s", got, status, out)
	}
	for _, w := range words {
		if !strings.Contains(out, w) {
			l.t.Errorf("nothing of %q in: %s", w, out)
		}
	}
	return out
}

// without takes a right from whatever is started in the router from now on: the thread that starts it loses it for good.
func (l *lone) without(capabilities ...uintptr) {
	l.t.Helper()
	check(l.t, l.Namespace().Do(func() error {
		for _, c := range capabilities {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
				return err
			}
		}
		return nil
	}))
}

// document is the whole status of a running product.
func document(m *Member) (service.StatusDocument, error) {
	var d service.StatusDocument
	out, err := m.Ask("status", "--json")
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.ExitCode() == 1 {
		err = nil // FAULT, contested or degraded: a status all the same
	}
	if err != nil {
		return d, fmt.Errorf("status of %s: %w: %s", m.Name(), err, out)
	}
	return d, json.Unmarshal([]byte(out), &d)
}

// awaits asks until something holds of the product's status, and returns that.
func awaits(t *testing.T, m *Member, what string, patience time.Duration, holds func(service.StatusDocument) bool) service.StatusDocument {
	t.Helper()
	tick := time.NewTicker(statusPoll)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		d, err := document(m)
		if err == nil && holds(d) {
			return d
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %s; last %+v, %v", m.Name(), patience, what, d, err)
		}
	}
}

// installed says that the product serves.
func installed(d service.StatusDocument) bool {
	return d.Healthy && d.Instances[0].State == "MASTER" && d.Instances[0].Installed
}

// TestBadConfiguration gives the product files that it must refuse: at the place, in words, with a hint, and with status 2,
// by check and by run alike.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	l := newLone(t)
	for _, test := range []struct {
		name, old, new string
		words          []string // the place first
	}{
		{"block not closed", "priority 100\n", "priority 100\n}\n", []string{"router.conf:35:1: error: ", "closes no block", "hint: "}},
		{"block left open", "auth_pass sanitize\n    }", "auth_pass sanitize\n", []string{"router.conf:12:20: error: ", "not closed", "hint: add the missing }"}},
		{"unknown word", "priority 100", "priorty 100", []string{"router.conf:16:5: error: ", `unknown word "priorty"`, "hint: did you mean priority?"}},
		{"bad address", "192.168.10.1/24 brd", "192.168.10.256/24 brd", []string{"router.conf:25:9: error: ", `"192.168.10.256/24" is no IP address`, "hint: "}},
		{"bad mask", "192.168.10.1/24 brd", "192.168.10.1/33 brd", []string{"router.conf:25:9: error: "}},
		{"bad number", "virtual_router_id 50", "virtual_router_id 256", []string{"router.conf:15:23: error: ", "256"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			one := *l
			one.t = t
			text := strings.Replace(string(l.Config), test.old, test.new, 1)
			if text == string(l.Config) {
				t.Fatalf("%q is not in the story", test.old)
			}
			file := filepath.Join(t.TempDir(), "router.conf")
			check(t, os.WriteFile(file, []byte(text), 0o600))
			said := one.refused(file, 2, test.words...)
			if strings.Contains(said, "Starting") {
				t.Errorf("it started: %s", said)
			}
			checked, status := one.run("check", file)
			if status != 2 || !strings.Contains(checked, test.words[0]) {
				t.Errorf("check says %q with status %d", checked, status)
			}
		})
	}
}

// TestUnreadableFile has no file to read, or no right to.
func TestUnreadableFile(t *testing.T) {
	t.Parallel()
	l := newLone(t)
	missing := filepath.Join(l.dir, "nowhere.conf")
	l.refused(missing, 2, missing, "no such file or directory")
	l.refused(l.dir, 2, l.dir)
	l.without(unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH)
	secret := filepath.Join(l.dir, "secret.conf")
	check(t, os.WriteFile(secret, l.Config, 0))
	l.refused(secret, 2, secret, "permission denied")
}

// TestMissingRight takes the rights that everything needs: one sentence, with what to do about it.
func TestMissingRight(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		drop  []uintptr
		words string
	}{
		{"to change addresses", []uintptr{unix.CAP_NET_ADMIN}, "missing CAP_NET_ADMIN: "},
		{"to open sockets", []uintptr{unix.CAP_NET_RAW}, "missing CAP_NET_RAW: "},
		{"both", []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW}, "missing CAP_NET_ADMIN and CAP_NET_RAW: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newLone(t, HeartbeatPort)
			file := filepath.Join(l.dir, "router.conf")
			check(t, os.WriteFile(file, l.Config, 0o600))
			l.without(test.drop...)
			said := l.refused(file, 1, test.words, "run standfast as root", "AmbientCapabilities=")
			if lines := strings.Count(said, "\n"); lines != 1 {
				t.Errorf("%d lines for one reason: %s", lines, said)
			}
		})
	}
}

// TestSecondInstance starts the product beside itself. The second ends at once, and the first notices nothing.
func TestSecondInstance(t *testing.T) {
	t.Parallel()
	l := newLone(t, HeartbeatPort, "p3p1", "p3p2", "p1p1")
	check(t, l.Start(Standfast(product(t))))
	awaits(t, l.Member, "MASTER", settlePatience, installed)
	before, err := l.Addresses()
	check(t, err)
	since := time.Now()
	l.refused(filepath.Join(l.dir, "router.conf"), 1, "another standfast is running in "+RuntimeDir, "--runtime-dir")
	after, err := l.Addresses()
	check(t, err)
	if !slices.Equal(before, after) {
		t.Errorf("addresses were %v and are %v", before, after)
	}
	if d, err := document(l.Member); err != nil || !installed(d) || d.Node.Started.After(since) {
		t.Errorf("it is %+v, %v", d, err)
	}
	if got := l.Log.Transitions(since, time.Time{}); len(got) > 0 {
		t.Errorf("it went through %v", got)
	}
}

// TestMissingInterface starts without an interface: the product waits and says so, and serves when it is there.
func TestMissingInterface(t *testing.T) {
	t.Parallel()
	all := []string{HeartbeatPort, "p3p1", "p3p2", "p1p1"}
	for _, missing := range []struct{ name, port string }{{"that serves", "p3p1"}, {"of the heartbeat", HeartbeatPort}} {
		t.Run(missing.name, func(t *testing.T) {
			t.Parallel()
			l := newLone(t, slices.DeleteFunc(slices.Clone(all), func(p string) bool { return p == missing.port })...)
			check(t, l.Start(Standfast(product(t))))
			awaits(t, l.Member, "it says what is missing", settlePatience, func(d service.StatusDocument) bool {
				return !d.Healthy && slices.ContainsFunc(d.Ports, func(p service.PortDocument) bool {
					return p.Name == missing.port && p.Carrier == "missing"
				})
			})
			if want := "interface " + missing.port + " does not exist: waiting for it to appear"; !strings.Contains(l.Log.String(), want) {
				t.Errorf("the journal does not say %q", want)
			}
			l.plug(missing.port)
			d := awaits(t, l.Member, "it serves", bootWait+masterDownA+2*time.Second, installed)
			owned, err := l.Addresses()
			check(t, err)
			for _, v := range d.Instances[0].VIPs {
				if !slices.Contains(owned, netip.MustParsePrefix(v.Address)) {
					t.Errorf("%s is not in the kernel, but %v", v.Address, owned)
				}
			}
		})
	}
}
