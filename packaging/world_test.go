// Package packaging_test installs, upgrades and erases what this folder delivers: its scriptlets in a root of their own
// beside tools that only write down what they are asked for, and the packages by rpm and dpkg themselves.
package packaging_test

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// router is a root with a shell and little else, into which packages are installed. Its tools write down their calls.
type router struct {
	t    *testing.T
	root string
}

// newRouter makes one with what CentOS or Debian has before: folders, and the tools that are named, each a script.
func newRouter(t *testing.T, tools map[string]string) router {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: scriptlets run in a root of their own, by chroot")
	}
	r := router{t, t.TempDir()}
	for _, folder := range []string{
		"bin", "dev", "tmp", "run", "var/tmp", "etc/default", "usr/bin", "usr/sbin", "usr/lib/systemd/system", "usr/lib/systemd/system-preset",
		"usr/lib/tmpfiles.d", "usr/share/doc", "usr/share/man/man5", "usr/share/man/man8", "var/lib/dpkg/updates",
		"var/lib/dpkg/info", "var/lib/rpm", "var/log",
	} {
		r.write(folder+"/other", "", 0o644) // a folder of several packages, which dpkg removes when it is empty
	}
	r.write("dev/null", "", 0o666)
	r.write("var/lib/dpkg/status", "", 0o644)
	r.copyProgram("/bin/sh")
	for _, tool := range []string{"ln", "mkdir", "rm", "rmdir"} {
		r.copyProgram("/bin/" + tool)
	}
	r.arm(tools)
	return r
}

// arm gives it tools, in the place of those of the same name.
func (r router) arm(tools map[string]string) {
	r.t.Helper()
	for name, body := range tools {
		r.write("usr/bin/"+name, "#!/bin/sh\necho "+name+" \"$@\" >>/calls\n"+body+"\n", 0o755)
	}
}

// tools are those of a host with a release of systemd; running says that PID 1 is that systemd.
func tools(release string, running bool) map[string]string {
	state := "echo 'System has not been booted with systemd as init system' >&2; exit 1"
	if running {
		state = "exit 0"
	}
	return map[string]string{
		"systemctl":        `case $1 in --version) echo "systemd ` + release + `"; echo "+PAM +AUDIT";; *) ` + state + `;; esac`,
		"systemd-tmpfiles": "exit 0",
		"getent":           "exit 2",
		"groupadd":         "exit 0",
	}
}

func (r router) path(name string) string { return filepath.Join(r.root, name) }

func (r router) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r router) write(name, text string, mode fs.FileMode) {
	r.t.Helper()
	r.must(os.MkdirAll(filepath.Dir(r.path(name)), 0o755))
	r.must(os.WriteFile(r.path(name), []byte(text), mode))
	r.must(os.Chmod(r.path(name), mode))
}

// copyProgram brings a program of this host and the libraries that it needs.
func (r router) copyProgram(name string) {
	r.t.Helper()
	libraries, _ := exec.Command("ldd", name).Output() // fails for a static program, which needs none
	for _, file := range append(regexp.MustCompile(`/\S+`).FindAllString(string(libraries), -1), name) {
		text, err := os.ReadFile(file)
		r.must(err)
		r.write(file, string(text), 0o755)
	}
}

// run has the shell of the router run a script, and returns what it said. The script may not fail.
func (r router) run(script string, args ...string) string {
	r.t.Helper()
	r.write("tmp/script", script, 0o755)
	c := exec.Command("/bin/sh", append([]string{"/tmp/script"}, args...)...)
	c.Dir, c.Env = "/", []string{"PATH=/usr/bin:/bin"}
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: r.root}
	said, err := c.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v: %v\n%s", args, err, said)
	}
	r.must(os.Remove(r.path("tmp/script")))
	return string(said)
}

// calls returns what the tools were asked since the last call, questions apart.
func (r router) calls() []string {
	r.t.Helper()
	text, err := os.ReadFile(r.path("calls"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	r.must(err)
	r.must(os.Remove(r.path("calls")))
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(string(text)), "\n"), func(call string) bool {
		return call == "systemctl --version" || strings.HasPrefix(call, "getent ")
	})
}

// links returns the drop-ins of the units, and where they lead: each has to lead somewhere.
func (r router) links() []string {
	r.t.Helper()
	links, err := filepath.Glob(r.path("usr/lib/systemd/system/*.d/*"))
	r.must(err)
	for i, link := range links {
		to, err := os.Readlink(link)
		r.must(err)
		if _, err := os.Stat(filepath.Join(filepath.Dir(link), to)); err != nil {
			r.t.Errorf("a drop-in leads nowhere: %v", err)
		}
		links[i] = strings.TrimPrefix(link, r.path("usr/lib/systemd/system")+"/")
	}
	return links
}

// tree lists everything in the root except for what package managers keep for themselves.
func (r router) tree() []string {
	r.t.Helper()
	files := map[string]bool{}
	r.must(filepath.WalkDir(r.root, func(name string, entry fs.DirEntry, err error) error {
		name = strings.TrimPrefix(name, r.root)
		if slices.Contains([]string{"/var/lib/rpm", "/var/lib/dpkg", "/var/log"}, name) {
			return fs.SkipDir
		}
		files[name] = true
		return err
	}))
	delete(files, "/calls")
	return slices.Sorted(maps.Keys(files))
}

// command runs a program of this host that has to succeed, and returns what it said.
func command(t *testing.T, environment []string, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), environment...)
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, &said)
	}
	return said.String()
}

// manage runs a package manager on the root, and returns what it said to the operator; Debian's rpm warns of itself.
func (r router) manage(name string, args ...string) string {
	r.t.Helper()
	args = append([]string{"--root=" + r.root}, args...)
	if name == "rpm" {
		args = append(args, "--define=_dbpath /var/lib/rpm") // Debian's is in the home of whoever calls
	}
	said := command(r.t, []string{"DEBIAN_FRONTEND=noninteractive"}, name, args...)
	return regexp.MustCompile(`(?m)^rpm: .*\n`).ReplaceAllString(said, "")
}

// read returns a file of this folder.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
