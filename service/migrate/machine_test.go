package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing/fstest"
)

// machine is a host in memory: what systemd does to units, and what that does to processes.
type machine struct {
	files  fstest.MapFS
	units  map[string]*Unit
	root   bool
	calls  []string                                    // what was done, in order
	runs   []string                                    // which daemons ran after each of them
	boots  []string                                    // which would start at the next boot
	fails  func(call int, what string) (failure, bool) // what goes wrong
	silent bool                                        // standfast starts and does not answer
	late   func()                                      // what was given up and is yet to happen
}

// failure is a way in which something goes wrong.
type failure uint8

const (
	before failure = iota // an error, and nothing happened
	after                 // an error, and it happened
	lie                   // no error, and nothing happened
	hang                  // it does not end, and happens after it was given up
)

var errPlanted = errors.New("planted")

const (
	debianUnit = `[Unit]
Description=Keepalive Daemon (LVS and VRRP)
ConditionFileNotEmpty=/etc/keepalived/keepalived.conf

[Service]
Type=notify
EnvironmentFile=-/etc/default/keepalived
ExecStart=/usr/sbin/keepalived --dont-fork $DAEMON_ARGS
ExecReload=/bin/kill -HUP $MAINPID
`
	el7Unit = `[Service]
Type=forking
PIDFile=/var/run/keepalived.pid
KillMode=process
EnvironmentFile=-/etc/sysconfig/keepalived
ExecStart=/usr/sbin/keepalived $KEEPALIVED_OPTIONS
ExecReload=/bin/kill -HUP $MAINPID
`
	el9Unit = `[Service]
Type=notify
KillMode=process
EnvironmentFile=-/etc/sysconfig/keepalived
ExecStart=/usr/sbin/keepalived --dont-fork $KEEPALIVED_OPTIONS
`
	ourUnit = `[Service]
Type=notify
EnvironmentFile=-/etc/default/standfast
EnvironmentFile=-/etc/sysconfig/standfast
ExecStart=/usr/sbin/standfast run $OPTIONS
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW
ProtectHome=yes
`
	pair = `vrrp_instance A {
    state BACKUP
    interface p4p1
    virtual_router_id 51
    priority 150
    advert_int 1
    dont_track_primary
    virtual_ipaddress {
        192.0.2.1/24 dev p1p1
        198.51.100.1/24 dev p1p2
    }
    notify /usr/local/bin/tell.sh
}
`
)

// newMachine is a host on which keepalived serves, and standfast was just installed.
func newMachine(unit, defaults, environment string) *machine {
	m := &machine{root: true, files: fstest.MapFS{}, units: map[string]*Unit{
		Keepalived: {Name: Keepalived, Load: "loaded", Active: "inactive", Enabled: "enabled", Fragment: "/usr/lib/systemd/system/keepalived.service"},
		Standfast: {Name: Standfast, Load: "loaded", Active: "inactive", Enabled: "disabled", Fragment: "/usr/lib/systemd/system/standfast.service",
			Conflicts: []string{"shutdown.target", Keepalived}},
	}}
	m.file("/run/systemd/system/x", "")
	m.file("/usr/lib/systemd/system/keepalived.service", unit)
	m.file("/usr/lib/systemd/system/standfast.service", ourUnit)
	m.file(defaults+"/keepalived", environment)
	m.file(defaults+"/standfast", "# Options of standfast run.\nOPTIONS=\"\"\n")
	m.file("/etc/keepalived/keepalived.conf", pair)
	m.files["usr/local/bin/tell.sh"] = &fstest.MapFile{Data: []byte("#!/bin/sh\n"), Mode: 0o755}
	m.link("/proc/self/ns/net", "net:[1]")
	m.holds()
	m.run(Keepalived)
	return m
}

func debian() *machine { return newMachine(debianUnit, "/etc/default", "DAEMON_ARGS=\"\"\n") }

func (m *machine) file(name, content string) {
	m.files[strings.TrimPrefix(name, "/")] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
}

func (m *machine) link(name, to string) {
	m.files[strings.TrimPrefix(name, "/")] = &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink | 0o777}
}

// holds has the host hold addresses.
func (m *machine) holds(addresses ...string) {
	var b strings.Builder
	b.WriteString("Local:\n  +-- 0.0.0.0/0 3 0 5\n")
	for _, a := range append(addresses, "127.0.0.1") {
		fmt.Fprintf(&b, "     |-- %s\n        /32 host LOCAL\n", a)
	}
	m.file("/proc/self/net/fib_trie", b.String())
}

// process has one run.
func (m *machine) process(pid int, group string, line ...string) {
	dir := fmt.Sprintf("/proc/%d/", pid)
	m.file(dir+"cmdline", strings.Join(line, "\x00")+"\x00")
	m.file(dir+"comm", line[0]+"\n")
	m.file(dir+"cgroup", "0::"+group+"\n")
	m.link(dir+"exe", "/usr/sbin/"+line[0])
	m.link(dir+"ns/net", "net:[1]")
}

var pids = map[string]int{Keepalived: 812, Standfast: 4711}

func (m *machine) run(unit string) {
	u := m.units[unit]
	u.Active, u.PID = "active", pids[unit]
	m.process(u.PID, "/system.slice/"+unit, u.short(), "run")
	m.process(u.PID+1, "/system.slice/"+unit, u.short(), "run")
}

func (m *machine) end(unit string) {
	u := m.units[unit]
	u.Active, u.PID = "inactive", 0
	for pid := range 2 {
		for name := range m.files {
			if strings.HasPrefix(name, fmt.Sprintf("proc/%d/", pids[unit]+pid)) {
				delete(m.files, name)
			}
		}
	}
}

// note writes down what was done, and what is the case after it.
func (m *machine) note(what string) {
	m.calls = append(m.calls, what)
	runs, boots := "", ""
	for _, name := range []string{Keepalived, Standfast} {
		u := m.units[name]
		if u.runs() || m.files[fmt.Sprintf("proc/%d/comm", pids[name])] != nil {
			runs += u.short() + " "
		}
		if u.boots() {
			boots += u.short() + " "
		}
	}
	m.runs, m.boots = append(m.runs, runs), append(m.boots, boots)
}

func (m *machine) Files() fs.FS { return m.files }
func (m *machine) Root() bool   { return m.root }

func (m *machine) Systemctl(ctx context.Context, args ...string) (string, error) {
	u := m.units[args[1]]
	if args[0] == "show" {
		return fmt.Sprintf("LoadState=%s\nActiveState=%s\nUnitFileState=%s\nMainPID=%d\nFragmentPath=%s\nDropInPaths=%s\n"+
			"RequiredBy=%s multi-user.target\nBoundBy=\nConsistsOf=\nConflicts=%s\n", u.Load, u.Active, u.Enabled, u.PID, u.Fragment,
			strings.Join(u.DropIns, " "), strings.Join(u.Dependents, " "), strings.Join(u.Conflicts, " ")), nil
	}
	return "", m.change(ctx, strings.Join(args, " "), func() {
		switch args[0] {
		case "start":
			m.run(u.Name)
		case "stop":
			m.end(u.Name)
		case "enable":
			u.Enabled = "enabled"
		case "disable":
			u.Enabled = "disabled"
		}
	})
}

// change does something, or what was planted.
func (m *machine) change(ctx context.Context, what string, do func()) error {
	planted, fails := failure(0), false
	if m.fails != nil {
		planted, fails = m.fails(len(m.calls), what)
	}
	if m.late != nil { // systemd does one thing after the other
		m.late()
		m.late = nil
	}
	if !fails || planted == after {
		do()
	}
	if fails && planted == hang {
		m.late = do
	}
	m.note(what)
	switch {
	case !fails || planted == lie:
		return nil
	case planted == hang:
		<-ctx.Done()
		return ctx.Err()
	}
	return errPlanted
}

func (m *machine) Replace(name string, content []byte) error {
	return m.change(context.Background(), "replace "+name, func() {
		if content == nil {
			delete(m.files, strings.TrimPrefix(name, "/"))
			return
		}
		m.file(name, string(slices.Clone(content)))
	})
}

func (m *machine) Answers(context.Context) ([]string, error) {
	if m.silent || !m.units[Standfast].runs() {
		return nil, errors.New("standfast is not running")
	}
	return []string{"A is BACKUP"}, nil
}
