package packaging_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"standfast/configfs"
)

// program stands for the real one, which takes a while to compile: packages only need it to write completions.
const program = "#!/bin/sh\necho \"$*\"\n"

// packages builds the packages of an architecture from this tree, or from a copy of it, and returns their folder.
func packages(t *testing.T, tree, goarch, release string, environment ...string) string {
	t.Helper()
	if _, err := exec.LookPath("rpmbuild"); err != nil {
		t.Skip("there is no rpmbuild on this host; on Debian: apt-get install rpm")
	}
	dist := t.TempDir()
	file := filepath.Join(dist, "program")
	if err := os.WriteFile(file, []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, append([]string{"SOURCE_DATE_EPOCH=1789000000", "RELEASE=" + release, "STANDFAST_GPG_KEY="}, environment...),
		filepath.Join(tree, "packaging/build"), goarch, file, file, dist)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	return dist
}

// only returns the one file of a folder with a suffix.
func only(t *testing.T, folder, suffix string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*"+suffix))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s has %v, %v", folder, files, err)
	}
	return files[0]
}

// TestTheSameBytesFromAnotherFolder, and by somebody else: of another name, in another place, who keeps files to himself.
func TestTheSameBytesFromAnotherFolder(t *testing.T) {
	here := packages(t, "..", "amd64", "1")
	tree := t.TempDir()
	defer syscall.Umask(syscall.Umask(0o077))
	command(t, nil, "cp", "-R", "../packaging", "../docs", "../README.md", "../CHANGELOG.md", "../LICENSE", tree)
	command(t, nil, "install", "-D", "../service/standfast/main.go", filepath.Join(tree, "service/standfast/main.go"))
	there := packages(t, tree, "amd64", "1", "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8", "USER=somebody", "LOGNAME=somebody", "TMPDIR="+t.TempDir())
	for _, suffix := range []string{".rpm", ".deb"} {
		if suffix == ".deb" && !debian() {
			continue
		}
		one, other := only(t, here, suffix), only(t, there, suffix)
		if filepath.Base(one) != filepath.Base(other) {
			t.Errorf("%s and %s", one, other)
		}
		command(t, nil, "cmp", one, other)
	}
}

func debian() bool {
	_, err := exec.LookPath("dpkg-deb")
	return err == nil
}

func TestRPMAsksForNothing(t *testing.T) {
	for goarch, arch := range map[string]string{"amd64": "x86_64", "arm64": "aarch64"} {
		file := only(t, packages(t, "..", goarch, "7"), "-7."+arch+".rpm")
		requires := strings.Split(strings.TrimSpace(command(t, nil, "rpm", "-qp", "--requires", file)), "\n")
		// CentOS 7 has rpm 4.11, which knows these.
		want := []string{
			"/bin/sh", "rpmlib(CompressedFileNames) <= 3.0.4-1", "rpmlib(FileDigests) <= 4.6.0-1",
			"rpmlib(PayloadFilesHavePrefix) <= 4.0-1", "rpmlib(PayloadIsXz) <= 5.2-1",
		}
		if diff := cmp.Diff(want, slices.Compact(requires)); diff != "" {
			t.Error(goarch, diff)
		}
		if got := command(t, nil, "rpm", "-qp", "--qf", "%{ARCH} %{OS} %{BUILDHOST} %{BUILDTIME}", file); got != arch+" linux standfast 1789000000" {
			t.Error(got)
		}
	}
}

// TestRPMHasTheScriptletsOfTheTree: rpm expands macros in them when it builds.
func TestRPMHasTheScriptletsOfTheTree(t *testing.T) {
	file := only(t, packages(t, "..", "amd64", "1"), ".rpm")
	whole := scripts(t)
	for tags, name := range map[string]string{
		"POSTINPROG} %{POSTIN": "post", "PREUNPROG} %{PREUN": "preun", "POSTUNPROG} %{POSTUN": "postun", "TRIGGERSCRIPTPROG} %{TRIGGERSCRIPTS": "triggerin",
	} {
		got := command(t, nil, "rpm", "-qp", "--qf", "%{"+tags+"}", file)
		if diff := cmp.Diff("/bin/sh "+strings.TrimSpace(whole[name]), strings.TrimSpace(got)); diff != "" {
			t.Error(name, diff)
		}
	}
}

func TestRPMIsSigned(t *testing.T) {
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("there is no gpg on this host; on Debian: apt-get install gpg")
	}
	const key = "standfast@localhost"
	home, err := os.MkdirTemp("", "gpg") // its sockets want a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		_ = os.RemoveAll(home)
	})
	t.Setenv("GNUPGHOME", home)
	command(t, nil, "gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", key, "rsa2048", "sign", "never")
	file := only(t, packages(t, "..", "amd64", "1", "STANDFAST_GPG_KEY="+key), ".rpm")
	public := filepath.Join(home, "public")
	command(t, nil, "gpg", "--quiet", "--armor", "--output", public, "--export", key)
	database := "--define=_dbpath " + t.TempDir()
	command(t, nil, "rpm", database, "--import", public)
	if said := command(t, nil, "rpm", database, "--checksig", file); !strings.Contains(said, "signatures OK") {
		t.Error(said)
	}
	if said := command(t, nil, "rpm", database, "--checksig", only(t, packages(t, "..", "amd64", "1"), ".rpm")); strings.Contains(said, "signatures OK") {
		t.Error("without a key:", said)
	}
}

// dropIns are the links to what the tree has for some releases of systemd.
func dropIns(t *testing.T, releases ...string) []string {
	t.Helper()
	var links []string
	for _, release := range releases {
		files, err := filepath.Glob("systemd/" + release + "/*.conf")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", release, files, err)
		}
		for _, file := range files {
			links = append(links, strings.TrimSuffix(filepath.Base(file), ".conf")+".d/50-"+release+".conf")
		}
	}
	slices.Sort(links)
	return links
}

// TestRPMComesAndGoes installs, uses, upgrades and erases the package in a root of its own.
func TestRPMComesAndGoes(t *testing.T) {
	r := newRouter(t, tools("252", true))
	first, second := only(t, packages(t, "..", runtime.GOARCH, "1"), ".rpm"), only(t, packages(t, "..", runtime.GOARCH, "2"), ".rpm")
	before := r.tree()
	verified := func(when string) {
		t.Helper()
		if said := r.manage("rpm", "-V", "--nodeps", "standfast"); said != "" {
			t.Errorf("rpm -V %s: %s", when, said)
		}
	}

	if said := r.manage("rpm", "-i", "--nodeps", first); said != "" {
		t.Error("the installation said:", said)
	}
	verified("after the installation")
	want := dropIns(t, "239", "252")
	if diff := cmp.Diff(want, r.links()); diff != "" {
		t.Error(diff)
	}
	r.write("run/standfast/control.sock", "", 0o660)
	r.write("var/lib/standfast/probe", strings.Repeat("x", 1<<10), 0o600)
	verified("of a service that has run")

	const replaced = "systemctl --no-block try-restart standfast-scripts.service standfast-disk.service"
	r.calls()
	for _, change := range [][]string{{"-U", second}, {"-U", "--replacepkgs", second}, {"-U", "--oldpackage", first}} {
		if said := r.manage("rpm", append([]string{"--nodeps"}, change...)...); !strings.Contains(said, "the running service goes on as it is") {
			t.Errorf("%v said: %s", change, said)
		}
		calls := r.calls()
		for _, call := range calls {
			if !regexp.MustCompile("^systemctl daemon-reload$|is-active|^groupadd|^systemd-tmpfiles").MatchString(call) && call != replaced {
				t.Errorf("%v asked: %s", change, call)
			}
		}
		if !slices.Contains(calls, replaced) {
			t.Errorf("%v leaves the helpers of the old program: %q", change, calls)
		}
		verified(strings.Join(change, " "))
		if diff := cmp.Diff(want, r.links()); diff != "" {
			t.Error(change, diff)
		}
	}

	if said := r.manage("rpm", "-e", "standfast"); said != "" {
		t.Error("the removal said:", said)
	}
	if diff := cmp.Diff(before, r.tree()); diff != "" {
		t.Error("left behind:", diff)
	}
}

// TestDropInsFollowAnUpdateOfSystemd: an update of the distribution does not touch the package.
func TestDropInsFollowAnUpdateOfSystemd(t *testing.T) {
	r := newRouter(t, tools("239", true))
	r.manage("rpm", "-i", "--nodeps", only(t, packages(t, "..", runtime.GOARCH, "1"), ".rpm"))
	if diff := cmp.Diff(dropIns(t, "239"), r.links()); diff != "" {
		t.Error("before:", diff)
	}
	r.arm(tools("252", true))
	r.calls()
	if said := r.manage("rpm", "-i", "--nodeps", emptyRPM(t, "systemd")); said != "" {
		t.Error("the update said:", said)
	}
	if diff := cmp.Diff(dropIns(t, "239", "252"), r.links()); diff != "" {
		t.Error("afterwards:", diff)
	}
	if diff := cmp.Diff([]string{"systemctl daemon-reload"}, r.calls()); diff != "" {
		t.Error("asked:", diff)
	}
}

// emptyRPM builds a package that is nothing but a name.
func emptyRPM(t *testing.T, name string) string {
	t.Helper()
	folder := t.TempDir()
	spec := filepath.Join(folder, "spec")
	text := "Name: " + name + "\nVersion: 1\nRelease: 1\nSummary: Nothing\nLicense: None\nBuildArch: noarch\n%description\nNothing.\n%files\n"
	if err := os.WriteFile(spec, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, []string{"HOME=" + folder}, "rpmbuild", "-bb", "--quiet", "--define=_topdir "+folder, "--define=_rpmdir "+folder, spec)
	return only(t, filepath.Join(folder, "noarch"), ".rpm")
}

// TestModes: the configuration has a password in it, and nothing of the packages is for others to write to.
func TestModes(t *testing.T) {
	dist := packages(t, "..", "amd64", "1")
	lists := map[string]string{"rpm": command(t, nil, "rpm", "-qp", "--qf", "[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\n]", only(t, dist, ".rpm"))}
	if debian() {
		lists["deb"] = command(t, nil, "dpkg-deb", "-c", only(t, dist, ".deb"))
	}
	for kind, list := range lists {
		special := map[string]string{"/usr/sbin/standfast": "-rwxr-xr-x", "/etc/standfast/standfast.conf": "-rw-------", "/var/lib/standfast/probe": "-rw-------"}
		for line := range strings.Lines(list) {
			f := strings.Fields(line)
			name := strings.TrimSuffix(strings.TrimPrefix(f[len(f)-1], "."), "/") // a .deb has folders as ./usr/
			want := map[byte]string{'d': "drwxr-xr-x", '-': "-rw-r--r--", 'l': "lrwxrwxrwx"}[f[0][0]]
			if own, ok := special[name]; ok {
				want = own
				delete(special, name)
			}
			if f[0] != want || f[1] != "root/root" {
				t.Errorf("%s: %s of %s is %s, want %s of root/root", kind, name, f[1], f[0], want)
			}
		}
		delete(special, "/var/lib/standfast/probe") // only an RPM can own what it does not ship
		if len(special) > 0 {
			t.Errorf("%s lacks %v", kind, special)
		}
	}
}

// TestPackageHasThePagesForTheNight: who was woken has the router, and perhaps no network.
func TestPackageHasThePagesForTheNight(t *testing.T) {
	files := strings.Split(command(t, nil, "rpm", "-qpd", only(t, packages(t, "..", "amd64", "1"), ".rpm")), "\n")
	for _, name := range []string{"doc/standfast/README.md", "doc/standfast/docs/on-call.md", "doc/standfast/docs/install.md", "man/man8/standfast.8.gz", "man/man5/standfast.conf.5.gz"} {
		if !slices.Contains(files, "/usr/share/"+name) {
			t.Errorf("%s is not among the documents: %q", name, files)
		}
	}
}

// TestRPMKeepsAConfiguration that somebody has changed, through an upgrade and a removal.
func TestRPMKeepsAConfiguration(t *testing.T) {
	r := newRouter(t, tools("252", true))
	before := r.tree()
	r.manage("rpm", "-i", "--nodeps", only(t, packages(t, "..", runtime.GOARCH, "1"), ".rpm"))
	r.write("etc/standfast/standfast.conf", "vrrp_instance V {}\n", 0o600)
	r.manage("rpm", "-U", "--nodeps", only(t, packages(t, "..", runtime.GOARCH, "2"), ".rpm"))
	if got := read(t, r.path("etc/standfast/standfast.conf")); got != "vrrp_instance V {}\n" {
		t.Errorf("the upgrade made it %q", got)
	}
	r.manage("rpm", "-e", "standfast")
	if diff := cmp.Diff(slices.Sorted(slices.Values(append(before, "/etc/standfast", "/etc/standfast/standfast.conf.rpmsave"))), r.tree()); diff != "" {
		t.Error(diff)
	}
}

// TestDebComesAndGoes is the same with dpkg, which keeps a configuration until it is told to forget it.
func TestDebComesAndGoes(t *testing.T) {
	r := newRouter(t, tools("252", true))
	if !debian() {
		t.Skip("there is no dpkg on this host")
	}
	before := r.tree()
	dpkg := func(args ...string) string {
		return r.manage("dpkg", append([]string{"--force-unsafe-io", "--log=/dev/null"}, args...)...)
	}
	dpkg("-i", only(t, packages(t, "..", runtime.GOARCH, "1"), ".deb"))
	want := dropIns(t, "239", "252")
	if diff := cmp.Diff(want, r.links()); diff != "" {
		t.Error(diff)
	}
	if said := dpkg("-i", only(t, packages(t, "..", runtime.GOARCH, "2"), ".deb")); !strings.Contains(said, "the running service goes on as it is") {
		t.Error("the upgrade said:", said)
	}
	dpkg("-r", "standfast")
	for _, kept := range []string{"etc/standfast/standfast.conf", "etc/default/standfast"} {
		if _, err := os.Stat(r.path(kept)); err != nil {
			t.Error(err)
		}
	}
	dpkg("-P", "standfast")
	if diff := cmp.Diff(before, r.tree()); diff != "" {
		t.Error("left behind:", diff)
	}
}

// TestSpecListsTheTree holds the list of files against this folder; that nothing else is listed is for rpmbuild to say.
func TestSpecListsTheTree(t *testing.T) {
	_, list, _ := strings.Cut(read(t, "rpm/standfast.spec"), "\n%files\n")
	list, _, _ = strings.Cut(list, "\n%changelog\n")
	var patterns []string
	for line := range strings.Lines(list) {
		if at := strings.Index(line, " /"); at >= 0 && !strings.Contains(line, "%dir") {
			line = line[at+1:]
		}
		if strings.HasPrefix(line, "/") {
			patterns = append(patterns, strings.TrimSpace(line))
		}
	}
	for _, file := range delivered(t) {
		listed := slices.ContainsFunc(patterns, func(pattern string) bool {
			ok, err := path.Match(pattern, file)
			return err == nil && ok || strings.HasPrefix(file, pattern+"/")
		})
		if !listed {
			t.Errorf("%s is in the tree and not in the list of the spec", file)
		}
	}
}

// delivered is where the files of this folder go.
func delivered(t *testing.T) []string {
	t.Helper()
	var all []string
	for pattern, folder := range map[string]string{
		"systemd/*.service": "/usr/lib/systemd/system/", "systemd/[0-9]*/*.conf": "/usr/share/standfast/systemd/0/",
		"man/*.5": "/usr/share/man/man5/", "man/*.8": "/usr/share/man/man8/",
	} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name := folder + filepath.Base(file)
			if strings.HasPrefix(pattern, "man/") {
				name += ".gz"
			}
			all = append(all, name)
		}
	}
	for _, pattern := range []string{"etc/*/*", "usr/lib/*/*", "usr/lib/*/*/*", "usr/share/doc/standfast/*/*"} {
		files, err := filepath.Glob("root/" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
				all = append(all, strings.TrimPrefix(file, "root"))
			}
		}
	}
	return all
}

func TestExampleConfiguration(t *testing.T) {
	const file = "etc/standfast/standfast.conf"
	_, complaints := configfs.Load(os.DirFS("root"), "/"+file)
	if len(complaints) != 1 || complaints[0].Severity != configfs.Error || complaints[0].Hint == "" {
		t.Errorf("as it comes: %v", complaints)
	}
	head, example, _ := strings.Cut(read(t, "root/"+file), "\n\n")
	if lines := strings.Count(head, "\n") + 1; lines > 10 {
		t.Errorf("it explains itself in %d lines", lines)
	}
	tree := t.TempDir()
	if err := os.WriteFile(filepath.Join(tree, "used.conf"), []byte(strings.ReplaceAll("\n"+example, "\n#", "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, complaints := configfs.Load(os.DirFS(tree), "/used.conf"); len(complaints) > 0 {
		t.Errorf("with its example: %v", complaints)
	}
}
