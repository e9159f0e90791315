package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scripts are the scriptlets as each package manager gets them.
func scripts(t *testing.T) map[string]string {
	t.Helper()
	dropins := read(t, "scriptlets/dropins")
	post, preun, postun := dropins+read(t, "scriptlets/post"), read(t, "scriptlets/preun"), read(t, "scriptlets/postun")
	return map[string]string{
		"post": post, "preun": preun, "postun": postun, "triggerin": dropins + read(t, "scriptlets/triggerin"),
		"postinst": read(t, "deb/postinst") + post, "prerm": read(t, "deb/prerm") + preun, "postrm": read(t, "deb/postrm") + postun,
	}
}

func TestScriptletsAreForEveryShell(t *testing.T) {
	for name, text := range scripts(t) {
		c := exec.Command("sh", "-n")
		c.Stdin = strings.NewReader(text)
		if said, err := c.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, said)
		}
	}
}

// deliver puts drop-ins for three releases of systemd into the root, and a unit.
func (r router) deliver() {
	r.t.Helper()
	r.write("usr/lib/systemd/system/standfast.service", "", 0o644)
	for _, since := range []string{"239", "252", "257"} {
		r.write("usr/share/standfast/systemd/"+since+"/standfast.service.conf", "[Service]\n", 0o644)
	}
	r.write("usr/share/standfast/systemd/252/standfast-disk.service.conf", "[Service]\n", 0o644)
}

// withdraw removes the files of the package.
func (r router) withdraw() {
	r.t.Helper()
	r.must(os.RemoveAll(r.path("usr/share/standfast")))
	r.must(os.Remove(r.path("usr/lib/systemd/system/standfast.service")))
}

func TestDropInsFollowSystemd(t *testing.T) {
	of239 := "standfast.service.d/50-239.conf"
	of252 := []string{"standfast-disk.service.d/50-252.conf", of239, "standfast.service.d/50-252.conf"}
	for _, test := range []struct {
		release string
		want    []string
	}{
		{"219", nil},
		{"238", nil},
		{"239 (239-82.el8)", []string{of239}},
		{"252 (252.39-1~deb12u1)", of252},
		{"256~rc1 (256~rc1-1)", of252},
		{"257 (257-9.el10)", append(of252[:3:3], "standfast.service.d/50-257.conf")},
		{"tomorrow", nil},
		{"", nil},
	} {
		t.Run(test.release, func(t *testing.T) {
			r := newRouter(t, tools(test.release, true))
			r.deliver()
			r.run(scripts(t)["post"], "1")
			if diff := cmp.Diff(test.want, append([]string(nil), r.links()...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDropInsAreLinkedAnewByAnUpgrade(t *testing.T) {
	r := newRouter(t, tools("257", true))
	r.deliver()
	r.run(scripts(t)["post"], "1")
	before := r.links()
	r.run(scripts(t)["post"], "2")
	if diff := cmp.Diff(before, r.links()); diff != "" {
		t.Error("the same package:", diff)
	}
	r.must(os.RemoveAll(r.path("usr/share/standfast/systemd/252")))
	r.run(scripts(t)["post"], "2")
	if diff := cmp.Diff([]string{"standfast.service.d/50-239.conf", "standfast.service.d/50-257.conf"}, r.links()); diff != "" {
		t.Error("a package without one of them:", diff)
	}
	r.write("usr/share/standfast/systemd/300/standfast.service.conf", "", 0o644)
	r.write("usr/lib/systemd/system/standfast.service.d/own.conf", "", 0o644)
	r.run(read(t, "scriptlets/preun"), "0")
	r.withdraw()
	r.run(read(t, "scriptlets/postun"), "0")
	left, err := filepath.Glob(r.path("usr/lib/systemd/system/*.d/*"))
	r.must(err)
	if diff := cmp.Diff([]string{r.path("usr/lib/systemd/system/standfast.service.d/own.conf")}, left); diff != "" {
		t.Error("what somebody else put there stays, and nothing else:", diff)
	}
}

// TestLife has each scriptlet say what it asks of the host, in every situation.
func TestLife(t *testing.T) {
	const (
		tmpfiles = "systemd-tmpfiles --create /usr/lib/tmpfiles.d/standfast.conf"
		group    = "groupadd -r standfast"
		preset   = "systemctl --no-reload preset standfast.service"
		reload   = "systemctl daemon-reload"
		replace  = "systemctl --no-block try-restart standfast-scripts.service standfast-disk.service"
		active   = "systemctl --quiet is-active standfast.service"
		goesOn   = "standfast: the running service goes on as it is; the new program takes over when it is restarted (systemctl restart standfast)\n"
	)
	erased := []string{
		"systemctl --no-reload disable standfast.service standfast-scripts.service standfast-disk.service",
		"systemctl stop standfast.service", "systemctl stop standfast-scripts.service standfast-disk.service",
	}
	swept := []string{reload, "systemctl reset-failed standfast.service standfast-scripts.service standfast-disk.service"}
	running, stopped, bare := newRouter(t, tools("252", true)), newRouter(t, tools("252", false)), newRouter(t, nil)
	for _, test := range []struct {
		name, script string
		args         []string
		calls        []string
		says         string
	}{
		{"installed", "post", []string{"1"}, []string{group, tmpfiles, preset, reload}, ""},
		{"upgraded", "post", []string{"2"}, []string{group, tmpfiles, reload, replace, active}, goesOn},
		{"the old one goes in an upgrade", "preun", []string{"1"}, nil, ""},
		{"the old one has gone in an upgrade", "postun", []string{"1"}, []string{reload}, ""},
		{"erased", "preun", []string{"0"}, erased, ""},
		{"has been erased", "postun", []string{"0"}, swept, ""},

		{"systemd was updated", "triggerin", []string{"1", "1"}, []string{reload}, ""},

		{"dpkg installs", "postinst", []string{"configure", ""}, []string{group, tmpfiles, preset, reload}, ""},
		{"dpkg upgrades", "postinst", []string{"configure", "0.0.9-1"}, []string{group, tmpfiles, reload, replace, active}, goesOn},
		{"dpkg gives an upgrade up", "postinst", []string{"abort-upgrade", "0.2.0-1"}, nil, ""},
		{"dpkg is to replace it", "prerm", []string{"upgrade", "0.2.0-1"}, nil, ""},
		{"dpkg is to remove it", "prerm", []string{"remove"}, erased, ""},
		{"dpkg has replaced it", "postrm", []string{"upgrade", "0.2.0-1"}, []string{reload}, ""},
		{"dpkg has removed it", "postrm", []string{"remove"}, swept, ""},
		{"dpkg has forgotten it", "postrm", []string{"purge"}, swept, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := scripts(t)[test.script]
			says := running.run(text, test.args...)
			if diff := cmp.Diff(test.says, says); diff != "" {
				t.Error("said:", diff)
			}
			if diff := cmp.Diff(test.calls, running.calls()); diff != "" {
				t.Error("asked:", diff)
			}
			if says := stopped.run(text, test.args...); says != "" {
				t.Errorf("where systemd does not run: %s", says)
			}
			if diff := cmp.Diff(test.calls, stopped.calls()); diff != "" {
				t.Error("asked where systemd does not run:", diff)
			}
			if says := bare.run(text, test.args...); says != "" {
				t.Errorf("where there is no systemd: %s", says)
			}
		})
	}
}

func TestRuntimeFolder(t *testing.T) {
	r := newRouter(t, nil)
	for range 2 {
		r.run(scripts(t)["post"], "1")
		info, err := os.Stat(r.path("run/standfast"))
		r.must(err)
		if info.Mode().Perm() != 0o755 {
			t.Errorf("its mode is %v", info.Mode())
		}
	}
	r.write("run/standfast/control.sock", "", 0o660)
	r.write("var/lib/standfast/probe", "", 0o600)
	r.run(read(t, "scriptlets/postun"), "1")
	for _, name := range []string{"run/standfast/control.sock", "var/lib/standfast/probe"} {
		if _, err := os.Stat(r.path(name)); err != nil {
			t.Error("an upgrade took it away:", err)
		}
	}
	r.run(read(t, "scriptlets/postun"), "0")
	for _, name := range []string{"run/standfast", "var/lib/standfast"} {
		if _, err := os.Stat(r.path(name)); err == nil {
			t.Errorf("%s is left behind", name)
		}
	}
}
