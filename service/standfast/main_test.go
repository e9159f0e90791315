package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"standfast/configfs"
	"standfast/service/doctor"
)

// TestMain lets a test run the whole program as a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("STANDFAST_AS_PROGRAM") != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// file writes a configuration and returns its name.
func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "x.conf")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func story() string { return string(configfs.Story("A", 100)) }

func TestCommands(t *testing.T) {
	hazard := strings.Replace(story(), "advert_int 1", "advert_int 1.5", 1)
	broken := strings.Replace(strings.Replace(story(), "priority 100", "pirority 100", 1), "192.168.10.1/24", "192.168.10.256/24", 1)
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	for _, test := range []struct {
		name   string
		args   []string
		status int
		out    []string // each has to be in the output
		err    []string // or in the complaints
	}{
		{"version", []string{"version"}, 0, []string{"standfast " + version + "\n"}, nil},
		{"help", nil, 0, []string{"run ", "check ", "status ", "why ", "migrate ", "version "}, nil},
		{"unknown command", []string{"reboot"}, 2, nil, []string{`unknown command "reboot"`, "--help"}},
		{"unknown flag", []string{"status", "--xml"}, 2, nil, []string{"unknown flag: --xml", "standfast status --help"}},
		{"check nothing", []string{"check"}, 2, nil, []string{"accepts 1 arg(s), received 0"}},
		{"check clean", []string{"check", file(t, story())}, 0, []string{":5:5: note: "}, nil},
		{"check hazards", []string{"check", file(t, hazard)}, 1, []string{":17:16: hazard: version 2 cannot carry advert_int 1.5"}, nil},
		{"check errors", []string{"check", file(t, broken)}, 2, []string{`:16:5: error: unknown word "pirority"`, ":25:9: error: "}, nil},
		{"check missing", []string{"check", nowhere}, 2, []string{nowhere + ": error: ", "cannot be read: no such file or directory"}, nil},
		{"run broken", []string{"run", "-f", file(t, broken), "--runtime-dir", nowhere}, 2, nil,
			[]string{`:16:5: error: unknown word "pirority"`, "did you mean priority?", ":25:9: error: "}},
		{"run missing", []string{"run", "-f", nowhere, "--runtime-dir", nowhere}, 2, nil, []string{"cannot be read: no such file or directory"}},
		{"run loudly", []string{"run", "--log-level", "loud"}, 2, nil, []string{"--log-level: "}},
		{"drivers", []string{"doctor", "--drivers"}, 0, []string{"DRIVER", "igb", "mlx5_core", "LINK-STATE"}, nil},
		{"drivers as JSON", []string{"doctor", "--drivers", "--json"}, 0, []string{`"driver": "igb"`, `"remote-fault"`}, nil},
		{"cable of nobody", []string{"doctor", "--cable-test", "no-such-port", "--runtime-dir", nowhere}, 1, nil,
			[]string{"the cable of no-such-port is not tested: no such port"}},
		{"cable and drivers", []string{"doctor", "--drivers", "--cable-test", "x"}, 2, nil, []string{"drivers", "cable-test", "standfast doctor --help"}},
		{"migrate whom", []string{"migrate", "me"}, 2, nil, []string{"standfast migrate --help"}},
		{"doctor of what", []string{"doctor", "me"}, 2, nil, []string{"standfast doctor --help"}},
		{"status of nobody", []string{"status", "--runtime-dir", nowhere}, 3, nil, []string{"standfast is not running in " + nowhere}},
		{"reload of nobody", []string{"reload", "--runtime-dir", nowhere}, 3, nil, []string{"standfast is not running in " + nowhere}},
		{"why of nobody", []string{"why", "VI_0", "--json", "--runtime-dir", nowhere}, 3, nil, []string{"standfast is not running"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out, complaints bytes.Buffer
			if got := run(test.args, &out, &complaints); got != test.status {
				t.Errorf("exit status %d, want %d", got, test.status)
			}
			wantIn(t, "output", out.String(), test.out)
			wantIn(t, "complaints", complaints.String(), test.err)
			if _, err := os.Stat(nowhere); err == nil {
				t.Error("the runtime directory was made for nothing")
			}
		})
	}
}

// TestDoctor examines the host that the test runs on; the doctor has a process of this program look.
func TestDoctor(t *testing.T) {
	t.Setenv("STANDFAST_AS_PROGRAM", "yes")
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	var out, complaints bytes.Buffer
	if got := run([]string{"doctor", "-f", nowhere, "--runtime-dir", nowhere}, &out, &complaints); got != 2 {
		t.Errorf("exit status %d of a configuration that is not there", got)
	}
	wantIn(t, "output", out.String(), []string{"standfast not running, " + nowhere, "1 error", "ERROR  " + nowhere, "cannot be read", "FOUND WELL"})
	wantIn(t, "complaints", complaints.String(), nil)
	out.Reset()
	run([]string{"doctor", "-f", file(t, story()), "--runtime-dir", nowhere, "--json"}, &out, &complaints)
	var d doctor.Document
	if err := json.Unmarshal(out.Bytes(), &d); err != nil || len(d.Ports) != 4 || len(d.Undecided) == 0 {
		t.Errorf("%v, %d ports, undecided %+v", err, len(d.Ports), d.Undecided)
	}
	for _, f := range d.Findings {
		if strings.HasPrefix(f.Text, "not answered") {
			t.Errorf("%s hung: %+v", f.Check, f)
		}
	}
	if d.Worst != doctor.SeverityHazard { // the story's ports are not there
		t.Errorf("worst %v", d.Worst)
	}
}

// TestHelperCommands runs each as a process of its own: a helper makes itself small, and takes a name.
func TestHelperCommands(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	for _, test := range []struct {
		name   string
		args   []string
		status int
		out    []string
		err    []string
	}{
		{"helper that ends by itself", []string{"helper", "scripts", "--runtime-dir", t.TempDir(), "--linger", "1ms"}, 0, nil, nil},
		{"disk helper that ends by itself", []string{"helper", "disk", "--runtime-dir", t.TempDir(), "--linger", "1ms"}, 0, nil, nil},
		{"launcher that ends by itself", []string{"helper", "launch", "--runtime-dir", t.TempDir(), "--linger", "1ms"}, 0, nil, nil},
		{"helper for nothing", []string{"helper", "nothing"}, 2, nil, []string{`unknown command "nothing" for "standfast helper"`}},
		{"helper with too much", []string{"helper", "disk", "sda"}, 2, nil, []string{`"sda" is too much after helper disk`}},
		{"helper with an unknown flag", []string{"helper", "disk", "--fast"}, 2, nil, []string{"-fast"}},
		{"helper of the doctor", []string{"helper", "doctor", "--file", nowhere, "--runtime-dir", nowhere}, 0, []string{"{"}, nil},
		{"helper nowhere", []string{"helper", "scripts", "--runtime-dir", nowhere}, 1, nil, []string{"cannot listen on " + nowhere}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out, complaints bytes.Buffer
			c := exec.Command("/proc/self/exe", test.args...)
			c.Env = append(os.Environ(), "STANDFAST_AS_PROGRAM=1")
			c.Stdout, c.Stderr = &out, &complaints
			if err := c.Run(); c.ProcessState == nil || c.ProcessState.ExitCode() != test.status {
				t.Errorf("%v, want status %d", err, test.status)
			}
			wantIn(t, "output", out.String(), test.out)
			wantIn(t, "complaints", complaints.String(), test.err)
		})
	}
}

// wantIn checks that a text has all parts, and is empty when there are none.
func wantIn(t *testing.T, what, text string, parts []string) {
	t.Helper()
	if len(parts) == 0 && text != "" {
		t.Errorf("unexpected %s: %s", what, text)
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in the %s: %s", part, what, text)
		}
	}
}

// TestRelativeFile: complaints name the file as an editor finds it from anywhere.
func TestRelativeFile(t *testing.T) {
	name := file(t, "x")
	t.Chdir(filepath.Dir(name))
	var out, complaints bytes.Buffer
	run([]string{"check", "x.conf"}, &out, &complaints)
	wantIn(t, "output", out.String(), []string{name + `:1:1: error: unknown word "x" at the top level`})
}

// TestMissingRight runs the program on a thread that has lost the right to
// change the network for good.
func TestMissingRight(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root has rights to lose")
	}
	name, dir := file(t, story()), t.TempDir()
	type outcome struct {
		text []byte
		err  error
	}
	ended := make(chan outcome)
	go func() {
		runtime.LockOSThread()                       // and never unlocked: the thread ends with the goroutine
		const dropFromBoundingSet, netAdmin = 24, 12 // prctl(2), capabilities(7)
		if _, _, failed := syscall.RawSyscall(syscall.SYS_PRCTL, dropFromBoundingSet, netAdmin, 0); failed != 0 {
			ended <- outcome{err: failed}
			return
		}
		c := exec.Command("/proc/self/exe", "run", "-f", name, "--runtime-dir", dir)
		c.Env = append(os.Environ(), "STANDFAST_AS_PROGRAM=1")
		text, err := c.CombinedOutput()
		ended <- outcome{text, err}
	}()
	o := <-ended
	var failed *exec.ExitError
	if !errors.As(o.err, &failed) || failed.ExitCode() != 1 {
		t.Errorf("ended with %v", o.err)
	}
	wantIn(t, "complaints", string(o.text), []string{"missing CAP_NET_ADMIN", "run standfast as root", "AmbientCapabilities"})
}
