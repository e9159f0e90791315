package nbd_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"standfast/service/lab/vm/nbd"
)

// qemuIO runs orders of qemu-io on a disk, and says what it printed and whether it was content.
func qemuIO(t *testing.T, socket string, orders ...string) (string, bool) {
	t.Helper()
	arguments := []string{"-f", "raw"}
	for _, o := range orders {
		arguments = append(arguments, "-c", o)
	}
	out, err := exec.Command("qemu-io", append(arguments, "nbd+unix:///?socket="+socket)...).CombinedOutput()
	t.Logf("qemu-io %q:\n%s", orders, out)
	return string(out), err == nil
}

// TestQEMU: the client in QEMU, for which all of this is, reads what it wrote, in its own way of shaking hands.
func TestQEMU(t *testing.T) {
	if _, err := exec.LookPath("qemu-io"); err != nil {
		t.Skip("there is no qemu-io here; on Debian: sudo apt-get install qemu-utils")
	}
	socket := filepath.Join(t.TempDir(), "disk")
	d, err := nbd.Serve(socket, bytes.NewReader(bytes.Repeat([]byte{0xb5}, 1<<20)), 2<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()

	if out, ok := qemuIO(t, socket, "read -P 0xb5 0 1M", "read -P 0 1M 1M", "write -P 0xa7 64k 100k", "write -P 3 513 5", "write -z 500k 300k", "discard 1M 64k", "flush", "length"); !ok || !strings.Contains(out, "2 MiB") {
		t.Error("something failed")
	}
	for _, order := range []string{"read -P 0xb5 1k 63k", "read -P 0xa7 64k 100k", "read -P 0xb5 164k 336k", "read -P 3 513 5", "read -P 0 500k 300k", "read -P 0xb5 800k 224k"} {
		if out, ok := qemuIO(t, socket, order); !ok || strings.Contains(out, "failed") {
			t.Errorf("%s: %s", order, out)
		}
	}
	d.Fail()
	for _, order := range []string{"read 0 4k", "write 0 4k"} {
		if out, _ := qemuIO(t, socket, order); !strings.Contains(out, "Input/output error") {
			t.Errorf("%s on a disk that fails: %s", order, out)
		}
	}
	d.Heal()
	if out, ok := qemuIO(t, socket, "read -P 0xa7 64k 100k"); !ok || strings.Contains(out, "failed") {
		t.Errorf("after it healed: %s", out)
	}
}
