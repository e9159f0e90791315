package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"standfast/configfs"
	"standfast/hw/hwtest"

	"github.com/google/go-cmp/cmp"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLog(t *testing.T) {
	var l Log
	for _, part := range []string{"(VI_0) Entering BACK", "UP STATE (init)\n(VI_0) Receive advertisement timeout\n", "(VI_0) Entering MASTER STATE\nEnter"} {
		n, err := l.Write([]byte(part))
		if n != len(part) || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
	}
	if diff := cmp.Diff([]string{"BACKUP", "MASTER"}, l.Transitions(time.Time{}, time.Time{})); diff != "" {
		t.Errorf("transitions (-want +got):\n%s", diff)
	}
	if got := l.Transitions(time.Now().Add(time.Hour), time.Time{}); got != nil {
		t.Errorf("transitions of the future: %v", got)
	}
	if got := l.Transitions(time.Time{}, time.Now().Add(-time.Hour)); got != nil {
		t.Errorf("transitions before the log: %v", got)
	}
	if got := strings.Count(l.String(), "\n"); got != 3 {
		t.Errorf("%d whole lines, want 3", got)
	}
}

func TestInstall(t *testing.T) {
	dir := t.TempDir()
	file, err := Keepalived("keepalived", true).install(dir, configfs.Story("RTR-CORE-B", priorityB))
	check(t, err)
	text, err := os.ReadFile(file)
	check(t, err)
	for _, want := range []string{"priority 50\n", "dont_track_primary\n", "notify_master " + filepath.Join(dir, "promotemaster")} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	check(t, exec.Command(filepath.Join(dir, "promotemaster"), "now").Run())
	if got, err := os.ReadFile(filepath.Join(dir, "notified")); err != nil || string(got) != "promotemaster now\n" {
		t.Errorf("the script wrote %q, %v", got, err)
	}
}

// keepalived finds the yardstick or skips.
func keepalived(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("keepalived")
	if err != nil {
		t.Skip("keepalived is not installed")
	}
	return program
}

// TestYardstick tells keepalived the story in which its two manners fail in two ways. It shows that the laboratory sees both.
func TestYardstick(t *testing.T) {
	hwtest.New(t) // skips where there can be no laboratory
	program := keepalived(t)
	for _, test := range []struct {
		name      string
		dontTrack bool
		masters   string
	}{{"default", false, "no master"}, {"dont_track_primary", true, "two masters"}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var heard []string
			o, err := Tell(Stories()[2], Keepalived(program, test.dontTrack), MasterDown+time.Second, func(_ time.Time, what string) {
				heard = append(heard, what)
			})
			check(t, err)
			if got := o.Masters(); got != test.masters {
				t.Errorf("in the end: %s, want %s\n%v", got, test.masters, o.Line)
			}
			if len(o.Complaints()) == 0 {
				t.Errorf("no complaint about %s", o.Figures())
			}
			if len(heard) < 2 || heard[1] != "the cable is cut" {
				t.Errorf("narrated: %q", heard)
			}
		})
	}
}
