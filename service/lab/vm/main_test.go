package main

import (
	"archive/tar"
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"standfast/service/lab/vm/machine"
)

// holds is set where the test's own program is to hold a process, as the laboratory does in a machine.
const holds = "VM_TEST_HOLDS"

func TestMain(m *testing.M) {
	if pid := os.Getenv(holds); pid != "" {
		os.Exit(run([]string{"hold", pid}))
	}
	os.Exit(m.Run())
}

// TestStories: they can be told apart and told, and the short ones are those that the rest hangs on.
func TestStories(t *testing.T) {
	seen, letters, short := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range stories() {
		if s.key == "" || s.title == "" || s.tell == nil || len(s.daemons) == 0 || seen[s.key] {
			t.Errorf("story %q, %q: there is one of this key: %t; it has %d daemons", s.key, s.title, seen[s.key], len(s.daemons))
		}
		for i, d := range s.daemons {
			if d != standfast && d != keepalived && d != untracked || slices.Contains(s.daemons[:i], d) {
				t.Errorf("story %s is told of %q", s.key, s.daemons)
			}
		}
		if s.short && s.daemons[0] != standfast {
			t.Errorf("story %s is a short one, and not of ours", s.key)
		}
		seen[s.key], letters[s.key[:1]], short[s.key] = true, true, s.short
	}
	for letter := range strings.SplitSeq("a b c d e f g h i j k l", " ") {
		if !letters[letter] {
			t.Errorf("there is no story %s", letter)
		}
	}
	for key := range strings.SplitSeq("a b c i", " ") {
		if !short[key] {
			t.Errorf("story %s is not among the short ones", key)
		}
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(short)), func(s bool) bool { return !s }) {
		t.Error("every story is a short one")
	}
}

func keys(stories []story) string {
	var keys []string
	for _, s := range stories {
		keys = append(keys, s.key)
	}
	return strings.Join(keys, " ")
}

func TestParse(t *testing.T) {
	var short []story
	for _, s := range stories() {
		if s.short {
			short = append(short, s)
		}
	}
	for _, c := range []struct {
		args string
		want string
		err  string
	}{
		{"", keys(stories()), ""},
		{"-short", keys(short), ""},
		{"-stories a", "a", ""},
		{"-stories=a,b,c", "c b a", ""}, // in the order in which they are told
		{"-stories e", "e1 e2 e3", ""},
		{"-stories e2,j,e2", "j1 j2 j3 e2", ""},
		{"-short -stories f", "f", ""},
		{"-stories a,zz", "", `"zz" is none of the stories`},
		{"-stories e4", "", `"e4" is none of the stories`},
		{"-stories A", "", `"A" is none of the stories`},
		{"a", "", `["a"] is no flag`},
		{"-stories a b", "", `["b"] is no flag`},
	} {
		p, err := parse(strings.Fields(c.args))
		if got := keys(p.stories); got != c.want || (err == nil) != (c.err == "") || !strings.Contains(fmt.Sprint(err), c.err) {
			t.Errorf("%q: %q (%v), want %q (%s)", c.args, got, err, c.want, c.err)
		}
	}
	p, err := parse([]string{"-cache", "x", "-packages", "y", "-draw", "z", "-accel", "tcg"})
	if got, want := strings.Join([]string{p.cache, p.packages, p.drawings, p.accel}, " "), "x y z tcg"; got != want || p.short || err != nil {
		t.Errorf("the flags say %s, want %s", got, want)
	}
}

// stderr is what a function prints there.
func stderr(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	kept := os.Stderr
	os.Stderr = w
	f()
	os.Stderr = kept
	w.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestHelp lists every story once.
func TestHelp(t *testing.T) {
	help := stderr(t, func() {
		if _, err := parse([]string{"-h"}); !errors.Is(err, flag.ErrHelp) {
			t.Error(err)
		}
	})
	for _, s := range stories() {
		line := fmt.Sprintf("\n  %-3s %s\n", s.key, s.title)
		if strings.Count(help, line) != 1 || strings.Count(help, "  "+s.key+" ") != 1 {
			t.Errorf("%q is not in the help once:\n%s", line, help)
		}
	}
	if code := run([]string{"-stories", "zz"}); code != 2 {
		t.Errorf("a story that there is not is exit status %d", code)
	}
}

// TestNoMachine: where there can be no machines, nothing is wrong.
func TestNoMachine(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	cache := t.TempDir()
	p, err := parse([]string{"-cache", cache, "-packages", t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.tell(t.Context()); !errors.Is(err, machine.ErrNoMachine) || !strings.Contains(err.Error(), filepath.Join(cache, "image.log")) {
		t.Error(err)
	}
	if code := run([]string{"-cache", cache}); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

// TestPack: a machine finds both packages, the older one first, and this program, on a disk of whole blocks.
func TestPack(t *testing.T) {
	packages := t.TempDir()
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(packages, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := &lab{folder: t.TempDir()}
	put("standfast-1.2.0-1.x86_64.rpm", "old")
	put("standfast-1.2.0-2.aarch64.rpm", "other")
	put("standfast_1.2.0-2_amd64.deb", "other")
	if err := l.pack(packages); err == nil {
		t.Error("one package is enough")
	}
	put("standfast-1.2.0-2.x86_64.rpm", "new")
	if err := l.pack(packages); err != nil {
		t.Fatal(err)
	}
	if l.version != [2]string{"standfast-1.2.0-1.x86_64.rpm", "standfast-1.2.0-2.x86_64.rpm"} {
		t.Errorf("the packages are %q", l.version)
	}
	f, err := os.Open(l.payload)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	me, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(me)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{l.version[0]: "old", l.version[1]: "new", "vm": string(program)}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil || string(text) != want[h.Name] || h.Mode&0o111 == 0 && h.Name == "vm" {
			t.Errorf("%s is %d bytes of mode %o (%v)", h.Name, len(text), h.Mode, err)
		}
		delete(want, h.Name)
	}
	if len(want) > 0 {
		t.Errorf("not on it: %q", slices.Collect(maps.Keys(want)))
	}
	if info, err := f.Stat(); err != nil || info.Size()%4096 != 0 {
		t.Errorf("it has %d bytes (%v)", info.Size(), err)
	}
	put("standfast-1.1.0-1.x86_64.rpm", "left over")
	if err := l.pack(packages); err == nil {
		t.Error("which of three packages are meant?")
	}
}

// TestHold: a process that is held stands still, is nobody's to wake, and goes on when its holder ends.
func TestHold(t *testing.T) {
	victim := exec.Command("sleep", "300")
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		victim.Process.Kill()
		victim.Wait()
	}()
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), fmt.Sprintf("%s=%d", holds, victim.Process.Pid))
	var complaint strings.Builder
	holder.Stderr = &complaint
	out, err := holder.StdoutPipe()
	if err == nil {
		err = holder.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Process.Kill()
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		holder.Wait()
		if strings.Contains(complaint.String(), "not permitted") {
			t.Skip("nobody may be held here: ", complaint.String())
		}
		t.Fatalf("it is not held, but %q: %s", line, complaint.String())
	}
	state := func(want string) {
		t.Helper()
		got := ""
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", victim.Process.Pid))
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(string(text), ") ")
			if got = rest[:1]; got == want {
				return
			}
		}
		t.Errorf("it is in state %s, want %s", got, want)
	}
	state("t")
	holder.Process.Kill()
	holder.Wait()
	state("S")
	for _, nobody := range []string{"0", "x", "999999999"} {
		if code := run([]string{"hold", nobody}); code != 1 {
			t.Errorf("hold %s: exit status %d", nobody, code)
		}
	}
}
