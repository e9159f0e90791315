package helper

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"standfast/hw/hwtest"
)

// programOn writes a script on the disk that is not in memory when it is run.
func programOn(t *testing.T, d *hwtest.Disk, text string) string {
	t.Helper()
	name := filepath.Join(d.Outside(), "script")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close(), d.Forget()); err != nil {
		t.Fatal(err)
	}
	return name
}

// A script on a disk that hangs could not be run, and holds up no other: the helper goes on to speak, and to run what it can.
func TestScriptOnADiskThatHangs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may make devices")
	}
	bad, err := hwtest.New(t).Disk(nil, hwtest.DiskOptions{Size: 16 << 20})
	if errors.Is(err, hwtest.ErrNoDisk) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := launched(t)
	heard, leave := attend(t, dir)
	defer leave()
	soonIs(t, "the script helper answers", func() bool { return greets(dir, Scripts, answerPatience) == nil })
	helper := peerOf(dir, Scripts)
	c := startClient(t, dir)
	out := filepath.Join(dir, "ran")
	name := programOn(t, bad, "#!/bin/sh\n: > "+out+"\n")
	if err := bad.Hang(); err != nil {
		t.Fatal(err)
	}
	c.Post("VI_0", []string{name})
	soonIs(t, "it hangs", func() bool { n, err := bad.Held(); return err == nil && n > 0 })
	c.Post("VI_0", []string{"/bin/true"})
	got := c.wait(t, 2)
	if got[0].Result != ScriptNotRun || !strings.Contains(got[0].Detail, "it could not be started within 10s") {
		t.Errorf("the script on the disk: %v", got[0])
	}
	if got[1].Result != ScriptNotRun || !strings.Contains(got[1].Detail, name+", still hangs in the kernel") {
		t.Errorf("the one behind it: %v", got[1])
	}
	if peerOf(dir, Scripts) != helper || c.end.Report().State() != "there" {
		t.Errorf("the helper is another, or silent; the launcher said %q", heard.notes)
	}
	if err := bad.Heal(); err != nil {
		t.Fatal(err)
	}
	soonIs(t, "its queue goes on", func() bool {
		n := len(c.told())
		c.Post("VI_0", []string{"/bin/true"})
		return c.wait(t, n+1)[n].Result == ScriptSucceeded
	})
	if exists(out)() {
		t.Error("what was started too late has run")
	}
}
