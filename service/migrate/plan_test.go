package migrate

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"standfast/configfs"
)

var update = flag.Bool("update", false, "write the pages anew")

// TestPages plans for all kinds of hosts and compares the page with one that was read.
func TestPages(t *testing.T) {
	for _, test := range []struct {
		name  string
		host  func() *machine
		back  bool
		worst configfs.Severity
	}{
		{"debian", func() *machine { m := debian(); m.holds("192.0.2.1", "198.51.100.1"); return m }, false, configfs.Note},
		{"el7", func() *machine {
			m := newMachine(el7Unit, "/etc/sysconfig", "# -D is what the package has\nKEEPALIVED_OPTIONS=\"-D -S 3 -x -p /run/ka.pid\"\n")
			m.units[Keepalived].DropIns = []string{"/etc/systemd/system/keepalived.service.d/limits.conf"}
			m.file("/etc/systemd/system/keepalived.service.d/limits.conf", "[Service]\nLimitNOFILE=65536\nExecStartPre=/usr/local/bin/wait.sh\n")
			return m
		}, false, configfs.Hazard},
		{"el9", func() *machine {
			m := newMachine(el9Unit, "/etc/sysconfig", "KEEPALIVED_OPTIONS='-DPl --use-file=/etc/keepalived/router.conf --core-dump'\n")
			m.file("/etc/keepalived/router.conf", "include parts/*.conf\nvirtual_server 192.0.2.9 80 {\n}\n")
			m.file("/etc/keepalived/parts/a.conf", pair)
			return m
		}, false, configfs.Hazard},
		{"balancer", func() *machine {
			m := debian()
			m.file("/etc/keepalived/keepalived.conf", pair+"virtual_server 192.0.2.9 80 {\n    delay_loop 6\n}\n")
			return m
		}, false, configfs.Error},
		{"missing-file", func() *machine { m := debian(); delete(m.files, "etc/keepalived/keepalived.conf"); return m }, false, configfs.Error},
		{"broken-file", func() *machine {
			m := debian()
			m.file("/etc/keepalived/keepalived.conf", strings.Replace(pair, "priority", "pirority", 1))
			return m
		}, false, configfs.Error},
		{"both-run", func() *machine { m := debian(); m.run(Standfast); return m }, false, configfs.Error},
		{"masked", func() *machine {
			m := debian()
			m.end(Keepalived)
			k := m.units[Keepalived]
			k.Load, k.Enabled, k.Fragment = "masked", "masked", "/dev/null"
			return m
		}, false, configfs.Note},
		{"container", func() *machine {
			m := debian()
			m.end(Keepalived)
			m.process(900, "/system.slice/docker-0123abcd.scope", "keepalived", "-n")
			return m
		}, false, configfs.Error},
		{"by-hand", func() *machine {
			m := debian()
			m.end(Keepalived)
			m.process(900, "/user.slice/user-0.slice/session-3.scope", "keepalived")
			m.file("/run/keepalived.pid", "900\n")
			return m
		}, false, configfs.Error},
		{"dependents", func() *machine { m := debian(); m.units[Keepalived].Dependents = []string{"haproxy.service"}; return m }, false, configfs.Error},
		{"wrapped", func() *machine {
			return newMachine("[Service]\nExecStart=/usr/sbin/ip netns exec blue keepalived -n\n", "/etc/default", "")
		}, false, configfs.Error},
		{"not-root", func() *machine { m := debian(); m.root = false; return m }, false, configfs.Note},
		{"no-systemd", func() *machine { m := debian(); delete(m.files, "run/systemd/system/x"); return m }, false, configfs.Error},
		{"not-installed", func() *machine {
			m := debian()
			*m.units[Standfast] = Unit{Name: Standfast, Load: "not-found", Active: "inactive"}
			return m
		}, false, configfs.Error},
		{"done", migrated, false, configfs.Note},
		{"back", migrated, true, configfs.Note},
		{"back-done", debian, true, configfs.Note},
		{"back-masked", func() *machine {
			m := migrated()
			m.units[Keepalived].Load, m.units[Keepalived].Enabled = "masked", "masked"
			return m
		}, true, configfs.Error},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := planned(t, test.host(), test.back)
			if p.Worst() != test.worst {
				t.Errorf("worst %v, want %v", p.Worst(), test.worst)
			}
			var page bytes.Buffer
			if err := p.Print(&page); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", test.name+".txt")
			if *update {
				if err := os.WriteFile(golden, page.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), page.String()); diff != "" {
				t.Errorf("another page (-want +got), see -update:\n%s", diff)
			}
		})
	}
}

// migrated is a host after migrate --apply.
func migrated() *machine {
	m := debian()
	m.end(Keepalived)
	m.run(Standfast)
	m.units[Keepalived].Enabled, m.units[Standfast].Enabled = "disabled", "enabled"
	m.file("/etc/default/standfast.before-migrate", string(m.files["etc/default/standfast"].Data))
	m.file("/etc/default/standfast", "OPTIONS='-f /etc/keepalived/keepalived.conf'\n")
	return m
}

func planned(t *testing.T, m *machine, back bool) Plan {
	t.Helper()
	s, err := Look(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if back {
		return Back(s)
	}
	return Forward(s)
}

// TestReachable: what root may read in a shell it may not read in the unit.
func TestReachable(t *testing.T) {
	for _, test := range []struct {
		name     string
		file     string
		mode     fs.FileMode
		uid, gid uint32
		worst    configfs.Severity
	}{
		{"root's own", "/etc/keepalived/keepalived.conf", 0o600, 0, 0, configfs.Note},
		{"of root's group", "/etc/keepalived/keepalived.conf", 0o640, 1000, 0, configfs.Note},
		{"of everybody", "/etc/keepalived/keepalived.conf", 0o644, 1000, 1000, configfs.Note},
		{"of another", "/etc/keepalived/keepalived.conf", 0o640, 1000, 1000, configfs.Error},
		{"of another in root's group", "/etc/keepalived/keepalived.conf", 0o600, 1000, 0, configfs.Error},
		{"at home", "/root/keepalived.conf", 0o600, 0, 0, configfs.Error},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(debianUnit, "/etc/default", "DAEMON_ARGS=\"-f "+test.file+"\"\n")
			m.files[test.file[1:]] = &fstest.MapFile{Data: []byte(pair), Mode: test.mode, Sys: &syscall.Stat_t{Uid: test.uid, Gid: test.gid}}
			if p := planned(t, m, false); p.Worst() != test.worst {
				t.Errorf("worst %v, want %v: %+v", p.Worst(), test.worst, p.Findings)
			}
		})
	}
}

// TestOptionsFile: OPTIONS is written where the unit reads it last.
func TestOptionsFile(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*machine)
		file   string
		ends   string
	}{
		{"Debian", func(*machine) {}, "/etc/default/standfast", "OPTIONS='-f /etc/keepalived/keepalived.conf'\n"},
		{"Red Hat", func(m *machine) {
			delete(m.files, "etc/default/standfast")
			m.file("/etc/sysconfig/network", "")
		}, "/etc/sysconfig/standfast", "OPTIONS='-f /etc/keepalived/keepalived.conf'\n"},
		{"both", func(m *machine) { m.file("/etc/sysconfig/standfast", "OPTIONS=--log-level=debug") }, "/etc/sysconfig/standfast",
			"OPTIONS='--log-level=debug -f /etc/keepalived/keepalived.conf'\n"},
		{"neither", func(m *machine) { delete(m.files, "etc/default/standfast") }, "/etc/default/standfast",
			"OPTIONS='-f /etc/keepalived/keepalived.conf'\n"},
		{"another file before", func(m *machine) { m.file("/etc/default/standfast", "OPTIONS=\"-f /x.conf --log-level warn\"\n") },
			"/etc/default/standfast", "OPTIONS='--log-level warn -f /etc/keepalived/keepalived.conf'\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := debian()
			test.change(m)
			steps := planned(t, m, false).Steps
			if len(steps) < 2 || steps[1].Verb != Write || steps[1].File != test.file || !strings.HasSuffix(string(steps[1].After), test.ends) {
				t.Fatalf("%+v", steps)
			}
			if content, err := fs.ReadFile(m.files, test.file[1:]); err == nil && (!bytes.HasPrefix(steps[1].After, content) || !bytes.Equal(steps[0].After, content)) {
				t.Errorf("what was there is lost: %q, kept %q", steps[1].After, steps[0].After)
			}
		})
	}
}

// TestDeafUnit: a unit that takes no OPTIONS would run by another file.
func TestDeafUnit(t *testing.T) {
	m := debian()
	m.units[Standfast].DropIns = []string{"/etc/systemd/system/standfast.service.d/own.conf"}
	m.file("/etc/systemd/system/standfast.service.d/own.conf", "[Service]\nExecStart=\nExecStart=/usr/sbin/standfast run -f /etc/x.conf\n")
	if p := planned(t, m, false); p.Worst() != configfs.Error {
		t.Errorf("%+v", p)
	}
	m.file("/etc/systemd/system/standfast.service.d/own.conf", "[Service]\nExecStart=\nExecStart=/usr/sbin/standfast run -f /etc/keepalived/keepalived.conf\n")
	if p := planned(t, m, false); p.Worst() == configfs.Error || p.Steps[0].Verb != Stop {
		t.Errorf("%+v", p)
	}
}

// TestGroup: systemd names a process's unit in a hierarchy of its own on CentOS 7, beside others on 8, and in the only one on 9.
func TestGroup(t *testing.T) {
	const unit = "/system.slice/keepalived.service"
	for cgroup, want := range map[string]string{
		"11:cpuset:/\n4:cpu,cpuacct:" + unit + "\n1:name=systemd:" + unit + "\n":        unit,
		"12:memory:/x\n1:name=systemd:" + unit + "\n0::" + unit + "\n":                  unit,
		"1:name=systemd:" + unit + "\n0::/\n":                                           unit,
		"0::" + unit + "\n":                                                             unit,
		"1:name=systemd:/user.slice/user-0.slice/session-3.scope\n4:cpu:" + unit + "\n": "/user.slice/user-0.slice/session-3.scope",
		"": "",
	} {
		if got := group(cgroup); got != want {
			t.Errorf("%q: %q, want %q", cgroup, got, want)
		}
	}
}

// TestOutage: 3 s and the skew of priority 150 in version 2, and the exchange.
func TestOutage(t *testing.T) {
	c, complaints := configfs.Load(debian().files, defaultFile)
	if err := complaints.Err(); err != nil {
		t.Fatal(err)
	}
	if got := outage(c); got != 6 { // 3 + 0.41 + 2
		t.Errorf("%d s", got)
	}
}
