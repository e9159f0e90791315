package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"standfast/service/lab/vm/nbd"
	"standfast/service/lab/vm/segment"
)

// options are of a machine whose sockets are in a folder.
func options(folder string) Options {
	at := func(name string) string { return filepath.Join(folder, name) }
	o := Options{
		Name: "A", Folder: at("A"), Image: Image{Kernel: at("kernel"), Initrd: at("initrd")}, Accelerator: "tcg", MemoryMB: 64,
		Disk: at("disk"), Payload: at("payload"), Wires: [Ports]string{at("cable"), "", at("wan"), ""}, Down: [Ports]bool{true},
	}
	for port := range o.MACs {
		o.MACs[port] = [6]byte{0x52, 0x54, 0, 0, 2, byte(port + 1)}
	}
	return o
}

// values are what follows an option in a command line, each time.
func values(args []string, option string) (found []string) {
	for i, a := range args {
		if a == option {
			found = append(found, args[i+1])
		}
	}
	return found
}

// property is one of those that QEMU writes behind commas.
func property(device, name string) string {
	for p := range strings.SplitSeq(device, ",") {
		if v, ok := strings.CutPrefix(p, name+"="); ok {
			return v
		}
	}
	return ""
}

// TestArguments: a card is one device with a function for each port, as the recipe's names of ports want it, and nothing is in its way.
func TestArguments(t *testing.T) {
	o := options("/x")
	args := arguments(o, [2]string{"/x/A/qmp", "/x/A/shell"})
	addresses, ports := map[string]string{}, 0
	for _, d := range values(args, "-device") {
		address := property(d, "addr")
		if address != "" {
			address, _, _ = strings.Cut(address+".0", ".0") // of function 0 is that of the device
			if other, ok := addresses[address]; ok {
				t.Errorf("%s and %s have one address", d, other)
			}
			addresses[address] = d
		}
		if !strings.HasPrefix(d, "e1000,") {
			continue
		}
		if got, want := property(d, "addr"), fmt.Sprintf("5.%d", ports); got != want || property(d, "id") != fmt.Sprintf("port%d", ports) {
			t.Errorf("port %d is %s, want address %s", ports, d, want)
		}
		link, err := recipe.ReadFile(fmt.Sprintf("root/etc/systemd/network/10-p4p%d.link", ports+1))
		if want := fmt.Sprintf("Path=pci-0000:00:05.%d\n", ports); err != nil || !strings.Contains(string(link), want) {
			t.Errorf("the recipe does not name the port at %q: %q (%v)", want, link, err)
		}
		if got, want := property(d, "mac"), fmt.Sprintf("52:54:00:00:02:%02x", ports+1); got != want {
			t.Errorf("port %d has the hardware address %s, want %s", ports, got, want)
		}
		if got, want := property(d, "netdev"), map[bool]string{true: fmt.Sprintf("wire%d", ports)}[o.Wires[ports] != ""]; got != want {
			t.Errorf("port %d has the wire %q, want %q", ports, got, want)
		}
		ports++
	}
	if ports != Ports || addresses["5"] == "" {
		t.Errorf("the card has %d ports, want %d: %q", ports, Ports, addresses)
	}
	wires := []string{
		"stream,id=wire0,server=off,addr.type=unix,addr.path=/x/cable", "stream,id=wire2,server=off,addr.type=unix,addr.path=/x/wan",
	}
	if got := values(args, "-netdev"); !slices.Equal(got, wires) {
		t.Errorf("the wires are %q, want %q", got, wires)
	}
	if !slices.Contains(args, "-S") || !slices.Contains(args, "-nodefaults") {
		t.Errorf("it does not stand still at first, or has parts that nobody asked for: %q", args)
	}
}

func TestArgumentsAccelerator(t *testing.T) {
	for accelerator, cpu := range map[string]string{"tcg": "Nehalem", "kvm": "host"} {
		o := options("/x")
		o.Accelerator = accelerator
		args := arguments(o, [2]string{})
		if a, c := values(args, "-accel"), values(args, "-cpu"); !slices.Equal(a, []string{accelerator}) || !slices.Equal(c, []string{cpu}) {
			t.Errorf("by %s it is %q on %q, want %q", accelerator, a, c, cpu)
		}
	}
}

func TestStartLacksQEMU(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	m, err := Start(t.Context(), options(t.TempDir()))
	if !errors.Is(err, ErrNoMachine) || !errors.Is(err, exec.ErrNotFound) || m != nil {
		t.Errorf("without QEMU: %v", err)
	}
}

// TestStartRefused: what QEMU has against a machine is said, and nothing of the machine is left.
func TestStartRefused(t *testing.T) {
	qemu(t)
	o := options(short(t))
	o.Image.Kernel = "/nowhere/kernel"
	if _, err := Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "machine A") || !regexp.MustCompile(`qemu-system-x86_64: .*disk`).MatchString(err.Error()) {
		t.Errorf("a machine without a disk: %v", err)
	}
}

func qemu(t *testing.T) {
	t.Helper()
	program, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip("needs a machine emulator:", err)
	}
	if backends, err := exec.Command(program, "-netdev", "help").Output(); err != nil || !bytes.Contains(backends, []byte("\nstream\n")) {
		t.Skip("needs an emulator with the stream backend, QEMU 7.2 or later:", err)
	}
}

// short is a folder with a name that is short enough for sockets in it.
func short(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "vm-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

// outfit makes everything that a machine is plugged into. Its kernel is a boot sector's worth of nothing.
func outfit(t *testing.T) Options {
	t.Helper()
	o := options(short(t))
	for _, wire := range []string{o.Wires[0], o.Wires[2]} {
		s, err := segment.Listen("wire", time.Now(), segment.Plug{Machine: "A", Socket: wire})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
	}
	disk, err := nbd.Serve(o.Disk, bytes.NewReader(nil), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { disk.Close() })
	kernel := make([]byte, 8192) // a boot sector of Linux's form, of the oldest protocol
	copy(kernel[0x1fe:], "\x55\xaa")
	copy(kernel[0x202:], "HdrS\x00\x02")
	kernel[0x1f1] = 1
	for name, text := range map[string][]byte{o.Image.Kernel: kernel, o.Image.Initrd: make([]byte, 4096), o.Payload: make([]byte, 4096)} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// TestMachine: QEMU takes the parts and the orders. Nothing runs in it.
func TestMachine(t *testing.T) {
	qemu(t)
	o := outfit(t)
	m, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer m.PowerOff()
	if !m.Powered() {
		t.Error("it has no power")
	}
	for port := range Ports {
		if err := errors.Join(m.SetLink(port, false), m.SetLink(port, true)); err != nil {
			t.Error(err)
		}
	}
	if err := m.SetLink(Ports, true); err == nil || !strings.Contains(err.Error(), "DeviceNotFound") {
		t.Errorf("a port that it does not have: %v", err)
	}
	if err := errors.Join(m.RemoveDisk(), m.RemoveCard()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Run(ctx, "true"); !errors.Is(err, ErrNoShell) || !strings.Contains(err.Error(), "machine A") {
		t.Errorf("nothing runs in it, but: %v", err)
	}
	m.PowerOff()
	m.PowerOff()
	<-m.Ended()
	if m.Powered() {
		t.Error("it has power still")
	}
	if err := m.SetLink(0, true); err == nil {
		t.Error("a machine without power has a carrier")
	}
	if _, err := m.Run(t.Context(), "true"); !errors.Is(err, ErrNoShell) {
		t.Errorf("without power: %v", err)
	}
	again, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal("with new power:", err)
	}
	again.PowerOff()
}
