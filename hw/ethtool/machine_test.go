package ethtool

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var machine = flag.String("machine", "", "record in a virtual machine with the kernel and the modules of this unpacked Debian package")

// cards are the network cards that QEMU emulates, the modules that drive them, in the order in which they can be loaded, and the names that
// tell them in a recording.
var (
	cards   = []string{"e1000", "e1000e", "rtl8139", "pcnet", "vmxnet3"}
	modules = []string{"mii", "e1000", "e1000e", "8139cp", "pcnet32", "vmxnet3"}
)

// TestRecordMachine captures what an older kernel and real drivers say. It needs qemu-system-x86_64:
//
//	apt-get download linux-image-6.1.0-56-amd64 && dpkg -x linux-image-*.deb /tmp/root
//	go test ./hw/ethtool -run TestRecordMachine -machine /tmp/root && go test ./hw/ethtool -run TestRecordings -update
//
// This test is its own guest: the binary is the first and only process of the machine, see guest. It asks the host for what only that
// can do, by lines on a serial port: to pull the cables.
func TestRecordMachine(t *testing.T) {
	if *machine == "" {
		t.Skip("records in a virtual machine only with -machine")
	}
	dir := t.TempDir()
	ok(t, os.WriteFile(filepath.Join(dir, "initrd"), initrd(t, *machine), 0o600))
	kernels, err := filepath.Glob(filepath.Join(*machine, "boot/vmlinuz-*"))
	if err != nil || len(kernels) != 1 {
		t.Fatalf("kernels %v, %v; want one", kernels, err)
	}
	monitor := filepath.Join(dir, "monitor")
	args := []string{"-machine", "q35,accel=tcg", "-m", "512", "-nodefaults", "-display", "none", "-no-reboot",
		"-kernel", kernels[0], "-initrd", filepath.Join(dir, "initrd"), "-append", "console=ttyS0 quiet panic=-1",
		"-serial", "file:" + filepath.Join(dir, "console"), "-serial", "stdio", "-qmp", "unix:" + monitor + ",server=on,wait=off"}
	for i, card := range cards {
		args = append(args, "-netdev", fmt.Sprintf("user,id=net%d", i), "-device", fmt.Sprintf("%s,netdev=net%d,id=%s", card, i, card))
	}
	cmd := exec.CommandContext(t.Context(), "qemu-system-x86_64", args...)
	serial, err := cmd.StdoutPipe()
	ok(t, err)
	cmd.Stderr = os.Stderr
	ok(t, cmd.Start())
	watchdog := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer watchdog.Stop()
	err = errors.Join(serve(serial, monitor), cmd.Wait())
	if console, failed := os.ReadFile(filepath.Join(dir, "console")); failed == nil && (err != nil || t.Failed()) {
		t.Logf("console:\n%s", console)
	}
	ok(t, err)
}

// serve does what the guest asks for, until it is gone.
func serve(guest io.Reader, monitor string) error {
	lines := bufio.NewReader(guest)
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		verb, rest, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		switch verb {
		case "cut":
			for _, card := range cards {
				if err := tell(monitor, "set_link", map[string]any{"name": card, "up": false}); err != nil {
					return err
				}
			}
		case "file":
			var file struct{ Name, Text string }
			if err := json.Unmarshal([]byte(rest), &file); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join("testdata", filepath.Base(file.Name)), []byte(file.Text), 0o644); err != nil {
				return err
			}
		case "failed:":
			return errors.New("the guest failed: " + rest)
		default:
			fmt.Println("guest:", strings.TrimSpace(line))
		}
	}
}

// tell gives QEMU a command.
func tell(monitor, command string, arguments map[string]any) error {
	conn, err := net.Dial("unix", monitor)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	answers := json.NewDecoder(conn)
	for _, request := range []map[string]any{nil, {"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}} {
		if request != nil { // the first answer is a greeting
			if err := json.NewEncoder(conn).Encode(request); err != nil {
				return err
			}
		}
		for {
			var answer map[string]any
			if err := answers.Decode(&answer); err != nil {
				return err
			}
			if answer["error"] != nil {
				return fmt.Errorf("%s: %v", command, answer["error"])
			}
			if answer["event"] == nil {
				if text, is := answer["return"].(string); is && text != "" {
					fmt.Println("monitor:", strings.TrimSpace(text))
				}
				break
			}
		}
	}
	return nil
}

// initrd is an archive of this binary and the modules.
func initrd(t *testing.T, root string) []byte {
	t.Helper()
	var archive bytes.Buffer
	add := func(name string, mode uint32, content []byte) {
		fmt.Fprintf(&archive, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
			archive.Len()+1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0, name)
		archive.Write(make([]byte, (4-archive.Len()%4)%4))
		archive.Write(content)
		archive.Write(make([]byte, (4-archive.Len()%4)%4))
	}
	self, err := os.Executable()
	ok(t, err)
	content, err := os.ReadFile(self)
	ok(t, err)
	for _, dir := range []string{"proc", "sys", "dev"} {
		add(dir, unix.S_IFDIR|0o755, nil)
	}
	add("init", unix.S_IFREG|0o755, content)
	ok(t, filepath.WalkDir(filepath.Join(root, "lib/modules"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains(modules, strings.TrimSuffix(d.Name(), ".ko")) {
			return err
		}
		content, err := os.ReadFile(path)
		add(d.Name(), unix.S_IFREG|0o644, content)
		return err
	}))
	add("TRAILER!!!", 0, nil)
	return archive.Bytes()
}

// guest is what this binary does as the first process of a machine. It never returns.
func guest() {
	serial, err := bootGuest()
	if err == nil {
		err = recordGuest(serial)
	}
	if err != nil {
		fmt.Fprintln(serial, "failed:", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	time.Sleep(time.Second) // for the serial port
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}

// bootGuest mounts, loads and finds the second serial port.
func bootGuest() (serial *os.File, err error) {
	for _, m := range []string{"proc", "sysfs:sys", "devtmpfs:dev"} {
		kind, dir, found := strings.Cut(m, ":")
		if !found {
			dir = kind
		}
		err = errors.Join(err, unix.Mount(kind, "/"+dir, kind, 0, ""))
	}
	for _, m := range modules {
		f, failed := os.Open("/" + m + ".ko")
		if failed == nil {
			parameters := ""
			if m == "e1000e" {
				parameters = "IntMode=0" // by MSI-X, this emulated card does not report a cable that is pulled
			}
			failed = unix.FinitModule(int(f.Fd()), parameters, 0)
			_ = f.Close()
		}
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("module %s: %w", m, failed))
		}
	}
	serial, failed := os.OpenFile("/dev/ttyS1", os.O_RDWR, 0)
	return serial, errors.Join(err, failed)
}

// recordGuest captures what the drivers say of their ports: with a cable, without, and administratively down.
func recordGuest(serial io.Writer) error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err
	}
	client, err := Open()
	if err != nil {
		return err
	}
	r := recorder{recordings: recordings{}, client: client,
		from: fmt.Sprintf("Kernel %s in QEMU, by go test ./hw/ethtool -run TestRecordMachine -machine ROOT", unix.ByteSliceToString(u.Release[:]))}
	ports, err := guestPorts(client)
	if err != nil {
		return err
	}
	for _, state := range []struct {
		words   string
		carrier Carrier
		change  func(port guestPort) error
	}{
		{"with carrier", Up, func(p guestPort) error { return setUp(p.name, true) }},
		{"whose cable was pulled a moment ago", Down, func(guestPort) error { return nil }},
		{"that is administratively down", Unknown, func(p guestPort) error { return setUp(p.name, false) }},
	} {
		if state.carrier == Down {
			fmt.Fprintln(serial, "cut")
		}
		for _, p := range ports {
			if err := state.change(p); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			if err := p.await(client, state.carrier); err != nil {
				fmt.Fprintf(serial, "%s %s: %v\n", p.driver, state.words, err)
				continue
			}
			r.port(fmt.Sprintf("%s port %s", p.driver, state.words), p.index)
		}
	}
	refusals := r.refusal("LINKSTATE_GET with the flag for statistics", unix.ETHTOOL_MSG_LINKSTATE_GET, 1, unix.ETHTOOL_FLAG_STATS)
	for file := range r.recordings {
		text, err := json.Marshal(map[string]string{"Name": "machine-" + file + ".txt", "Text": r.text(file)})
		if err != nil {
			return err
		}
		fmt.Fprintf(serial, "file %s\n", text)
	}
	return refusals
}

// guestPort is a port of the machine.
type guestPort struct {
	index        int
	name, driver string
}

func guestPorts(client *Client) (ports []guestPort, err error) {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		ports = nil
		for index := 2; index < 20; index++ {
			name, err := client.host.name(index)
			if err != nil {
				continue
			}
			if d, err := client.Driver(index); err == nil {
				ports = append(ports, guestPort{index, name, d.Name})
			}
		}
		if len(ports) == len(cards) {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("%d ports, want %d", len(ports), len(cards))
}

// await waits until the driver says what is expected of its carrier; Unknown expects nothing.
func (p guestPort) await(client *Client, c Carrier) error {
	var got Link
	var err error
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got, err = client.Link(p.index); err == nil && (c == Unknown || got.Carrier == c) {
			return nil
		}
	}
	return fmt.Errorf("carrier %v, %v; want %v", got.Carrier, err, c)
}
