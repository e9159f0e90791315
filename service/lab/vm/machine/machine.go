package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Ports is how many ports the card of a machine has: functions of one PCI device, "p4p1" to "p4p4".
const Ports = 4

// Options are what a machine is made of.
type Options struct {
	Name        string
	Folder      string // of its sockets and its console's text; a short name, for the sockets
	Image       Image
	Accelerator string        // see [Accelerator]
	Disk        string        // the socket of an NBD server with the disk
	Payload     string        // a file that the machine sees as its second disk, read-only
	Wires       [Ports]string // the sockets of the switches, empty: the port is not connected
	MACs        [Ports][6]byte
	MemoryMB    int
	Down        [Ports]bool // these begin without carrier
}

// A Machine has power, from Start to PowerOff or its own end.
type Machine struct {
	Name  string
	qmp   *qmp
	shell *shell
	cmd   *exec.Cmd
	ended chan struct{}
	log   *console
}

// Start switches a machine on. It returns as soon as its firmware runs.
func Start(ctx context.Context, o Options) (*Machine, error) {
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, err
	}
	m := &Machine{Name: o.Name, ended: make(chan struct{}), log: &console{}}
	sockets := [2]string{filepath.Join(o.Folder, "qmp"), filepath.Join(o.Folder, "shell")}
	for _, name := range sockets {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	if err := m.run(o, sockets); err != nil {
		return nil, err
	}
	if err := m.begin(ctx, o, sockets); err != nil {
		m.PowerOff()
		return nil, fmt.Errorf("machine %s: %w: %s", o.Name, err, strings.TrimSpace(m.Console()))
	}
	return m, nil
}

// begin has the processor run, with the ports as they are to be.
func (m *Machine) begin(ctx context.Context, o Options, sockets [2]string) error {
	conns, err := m.connect(ctx, sockets)
	if err != nil {
		return err
	}
	m.shell = newShell(conns[1])
	if m.qmp, err = newQMP(conns[0]); err != nil {
		return err
	}
	for port, down := range o.Down {
		if !down {
			continue
		}
		if err := m.SetLink(port, false); err != nil {
			return err
		}
	}
	return m.qmp.do("cont", nil)
}

// run starts QEMU, its processor standing still, from a thread that lives as long as it: the kernel kills it when that ends.
func (m *Machine) run(o Options, sockets [2]string) error {
	m.cmd = exec.Command("qemu-system-x86_64", arguments(o, sockets)...)
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL, Setpgid: true}
	m.cmd.Stdout, m.cmd.Stderr = m.log, m.log
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		err := m.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = m.cmd.Wait() // however it ends, it has no power
		close(m.ended)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("%w: %w", ErrNoMachine, err)
	}
	return nil
}

// arguments are QEMU's. The card is plugged into the board itself, where it can be pulled; the disk hangs on an adapter that gives it thirty seconds, as
// disks are given. Which of its two disks a machine finds first is chance: they are known by a label and a serial number.
func arguments(o Options, sockets [2]string) []string {
	args := []string{
		"-name", o.Name, "-machine", "pc", "-accel", o.Accelerator, "-m", strconv.Itoa(o.MemoryMB), "-smp", "1",
		"-nodefaults", "-no-user-config", "-display", "none", "-S",
		"-kernel", o.Image.Kernel, "-initrd", o.Image.Initrd,
		"-append", "root=LABEL=root rw console=ttyS0 panic=0 quiet mitigations=off nokaslr audit=0 apparmor=0 systemd.getty_auto=no systemd.hostname=" + o.Name,
		"-chardev", "stdio,id=console", "-serial", "chardev:console",
		"-chardev", "socket,id=shell,path=" + sockets[1] + ",server=on,wait=off",
		"-device", "virtio-serial-pci,addr=6", "-device", "virtconsole,chardev=shell",
		"-chardev", "socket,id=qmp,path=" + sockets[0] + ",server=on,wait=off", "-mon", "chardev=qmp,mode=control",
		"-device", "virtio-scsi-pci,id=scsi,addr=7",
		"-blockdev", "driver=nbd,node-name=root,server.type=unix,server.path=" + o.Disk,
		"-device", "scsi-hd,id=disk,drive=root,bus=scsi.0,werror=report,rerror=report",
		"-blockdev", "driver=file,node-name=payload,read-only=on,locking=off,filename=" + o.Payload,
		"-device", "scsi-hd,drive=payload,bus=scsi.0,serial=payload",
		"-device", "i6300esb,addr=8", "-device", "virtio-rng-pci,addr=9", "-action", "watchdog=reset",
	}
	if o.Accelerator == "tcg" {
		args = append(args, "-cpu", "Nehalem")
	} else {
		args = append(args, "-cpu", "host")
	}
	for port, wire := range o.Wires {
		device := fmt.Sprintf("e1000,id=port%d,addr=5.%d,multifunction=on,romfile=,mac=%s", port, port, net.HardwareAddr(o.MACs[port][:]))
		if wire != "" {
			args = append(args, "-netdev", fmt.Sprintf("stream,id=wire%d,server=off,addr.type=unix,addr.path=%s", port, wire))
			device += fmt.Sprintf(",netdev=wire%d", port)
		}
		args = append(args, "-device", device)
	}
	return args
}

// connect dials sockets that QEMU is about to make. They are closed with its end.
func (m *Machine) connect(ctx context.Context, names [2]string) (conns [2]net.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for i, name := range names {
		for {
			if conns[i], err = net.Dial("unix", name); err == nil {
				break
			}
			select {
			case <-m.ended:
				return conns, errors.New("QEMU ended at once")
			case <-ctx.Done():
				return conns, err
			case <-time.After(20 * time.Millisecond):
			}
		}
		go func() {
			<-m.ended
			_ = conns[i].Close()
		}()
	}
	return conns, nil
}

// PowerOff takes the power away, in the middle of whatever the machine does. Without power already it does nothing.
func (m *Machine) PowerOff() {
	_ = m.cmd.Process.Kill() // or it has ended
	<-m.ended
}

// Powered says whether the machine has power.
func (m *Machine) Powered() bool {
	select {
	case <-m.ended:
		return false
	default:
		return true
	}
}

// Ended is closed when the machine has no power any more: it was taken, or the machine switched itself off.
func (m *Machine) Ended() <-chan struct{} { return m.ended }

// SetLink gives a port carrier, or takes it away. Ports count from 0.
func (m *Machine) SetLink(port int, up bool) error {
	return m.qmp.do("set_link", map[string]any{"name": fmt.Sprintf("port%d", port), "up": up})
}

// RemoveCard pulls the card with all its ports out of its slot.
func (m *Machine) RemoveCard() error { return m.qmp.do("device_del", map[string]any{"id": "port0"}) }

// RemoveDisk pulls the disk out.
func (m *Machine) RemoveDisk() error { return m.qmp.do("device_del", map[string]any{"id": "disk"}) }

// Resets are the moments at which the machine began anew without losing power, told as they happen. The reason is QEMU's: "guest-reset",
// "watchdog".
func (m *Machine) Resets() <-chan string { return m.qmp.resets }

// Console is what the serial port said until now.
func (m *Machine) Console() string { return m.log.text() }

// Lines are what the serial port said until now, with the moments at which it did. What is said by way of a log comes when the log gets to it, and an
// emulated port takes its time as well: a moment is never too early.
func (m *Machine) Lines() []Line { return m.log.lines() }

// Run has the shell in the machine run a script, and returns what it said; an error also where its exit status is not 0. A machine that does not
// answer until ctx ends has no shell any more, until it has booted again.
func (m *Machine) Run(ctx context.Context, script string) (string, error) {
	out, err := m.shell.run(ctx, script)
	if err != nil {
		return out, fmt.Errorf("machine %s: %w", m.Name, err)
	}
	return out, nil
}
