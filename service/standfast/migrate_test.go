package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"standfast/service/migrate"
)

// inn is a host on which the units do as they are told.
type inn struct {
	files  fstest.MapFS
	active map[string]string
	boots  map[string]string
	root   bool
}

func newInn() *inn {
	plain := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text), Mode: 0o644} }
	return &inn{root: true,
		active: map[string]string{migrate.Keepalived: "active", migrate.Standfast: "inactive"},
		boots:  map[string]string{migrate.Keepalived: "enabled", migrate.Standfast: "disabled"},
		files: fstest.MapFS{"run/systemd/system": {Mode: fs.ModeDir | 0o755}, "etc/sysconfig/standfast": plain("OPTIONS=\n"),
			"etc/keepalived/keepalived.conf": plain(story()),
			"keepalived.service":             plain("[Service]\nExecStart=/usr/sbin/keepalived -D\n"),
			"standfast.service":              plain("[Service]\nEnvironmentFile=-/etc/sysconfig/standfast\nExecStart=/usr/sbin/standfast run $OPTIONS\n")},
	}
}

func (i *inn) Files() fs.FS { return i.files }
func (i *inn) Root() bool   { return i.root }

func (i *inn) Systemctl(_ context.Context, args ...string) (string, error) {
	unit := args[1]
	switch args[0] {
	case "start":
		i.active[unit] = "active"
	case "stop":
		i.active[unit] = "inactive"
	case "enable", "disable":
		i.boots[unit] = args[0] + "d"
	}
	return fmt.Sprintf("LoadState=loaded\nActiveState=%s\nUnitFileState=%s\nFragmentPath=/%s\n", i.active[unit], i.boots[unit], unit), nil
}

func (i *inn) Replace(name string, content []byte) error {
	i.files[name[1:]] = &fstest.MapFile{Data: content, Mode: 0o644}
	return nil
}

func (i *inn) Answers(context.Context) ([]string, error) {
	return []string{"VI_0 is BACKUP"}, nil
}

// TestMigrate: the page, refusals and the deed.
func TestMigrate(t *testing.T) {
	for _, test := range []struct {
		name   string
		host   func(*inn)
		apply  bool
		err    string
		out    string
		serves string
	}{
		{"page", func(*inn) {}, false, "", "To do it:      standfast migrate --apply", migrate.Keepalived},
		{"apply", func(*inn) {}, true, "", "standfast answers: VI_0 is BACKUP\ndone\n", migrate.Standfast},
		{"errors", func(i *inn) { delete(i.files, "etc/keepalived/keepalived.conf") }, true, "exit status 2", "It cannot be done as things are", migrate.Keepalived},
		{"not root", func(i *inn) { i.root = false }, true, "only root may do that", "", migrate.Keepalived},
		{"hazards", func(i *inn) {
			i.files["keepalived.service"].Data = []byte("[Service]\nExecStart=/usr/sbin/keepalived -x\n")
		}, false, "exit status 1", "There are hazards", migrate.Keepalived},
		{"hazards do not count", func(i *inn) {
			i.files["keepalived.service"].Data = []byte("[Service]\nExecStart=/usr/sbin/keepalived -x\n")
		}, true, "", "done\n", migrate.Standfast},
	} {
		t.Run(test.name, func(t *testing.T) {
			host := newInn()
			test.host(host)
			c := migrateCommand()
			var out bytes.Buffer
			c.SetOut(&out)
			c.SetContext(t.Context())
			err := migrateHost(c, host, false, test.apply)
			if got := fmt.Sprint(err); err == nil && test.err != "" || err != nil && (test.err == "" || !strings.Contains(got, test.err)) {
				t.Errorf("error %v, want %q", err, test.err)
			}
			if !strings.Contains(out.String(), test.out) {
				t.Errorf("no %q in:\n%s", test.out, out.String())
			}
			if host.active[test.serves] != "active" || host.boots[test.serves] != "enabled" {
				t.Errorf("active %v, at boot %v", host.active, host.boots)
			}
		})
	}
}
