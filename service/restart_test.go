package service

import (
	"os"
	"path/filepath"
	"testing"
)

// A service whose program was replaced, as packages do: the old file has no name any more.
func TestPendingRestart(t *testing.T) {
	proc := t.TempDir()
	link := func(name, target string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(proc, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(proc, name, "exe")); err != nil {
			t.Fatal(err)
		}
	}
	program := func(name string) string {
		t.Helper()
		path := filepath.Join(proc, name)
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	installed := program("standfast")
	link("self", installed)
	link("1", installed)
	link("2", program("standfast (deleted)"))
	link("3", program("another"))
	link("4", "nowhere")
	for _, c := range []struct {
		name          string
		pid           int
		running, mine string
		want          string
	}{
		{"the same file", 1, "1", "1", ""},
		{"the same file, whatever it says", 1, "1", "2", ""},
		{"replaced", 2, "1", "2", "a restart is pending: version 1 runs, 2 is installed; restart at a quiet moment, the BACKUP first"},
		{"replaced by the same version", 2, "1", "1", "a restart is pending: version 1 runs, and its program was replaced; restart at a quiet moment, the BACKUP first"},
		{"another program, or process", 3, "1", "2", ""},
		{"not to be seen, the same version", 4, "1", "1", ""},
		{"not to be seen, another version", 4, "1", "2", "a restart is pending: version 1 runs, 2 is installed; restart at a quiet moment, the BACKUP first"},
		{"not there", 5, "1", "2", "a restart is pending: version 1 runs, 2 is installed; restart at a quiet moment, the BACKUP first"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := pendingRestart(proc, NodeDocument{PID: c.pid, Version: c.running}, c.mine)
			if got := r.String(); got != c.want || r.Pending != (c.want != "") {
				t.Errorf("got %+v %q, want %q", r, got, c.want)
			}
		})
	}
	if r := PendingRestart(NodeDocument{PID: os.Getpid(), Version: "1"}, "2"); r.Pending {
		t.Error("this process is not the program that it is")
	}
}

func TestWithRestart(t *testing.T) {
	r := RestartDocument{Pending: true, Running: "1", Installed: "2"}
	want := `{"healthy":true,"later":1,"restart":{"pending":true,"running":"1","installed":"2"}}` + "\n"
	if got := string(withRestart([]byte(`{"healthy":true,"later":1}`+"\n"), r)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := string(withRestart([]byte("[]\n"), r)); got != "[]\n" {
		t.Errorf("what is no object became %s", got)
	}
}
