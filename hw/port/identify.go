package port

import (
	"os"
	"path/filepath"
	"strings"
)

// Identity says which piece of hardware a port is. Fields are empty where the kernel
// does not say, all of them for a virtual port.
type Identity struct {
	// Driver is the kernel driver, such as "igb".
	Driver string
	// Bus is the address on the bus, such as "0000:03:00.1".
	Bus string
	// Card is equal for ports that are one piece of hardware and fail together: one
	// chip, one slot, or one switch chip behind one slot.
	Card string
	// Onboard is the number that the firmware gives to a port of the mainboard (acpi_index, or
	// SMBIOS type 41); 0 for a port on a card.
	Onboard int
	// Label is what the firmware calls the port, such as "Embedded NIC 1".
	Label string
}

// Identify finds a port's hardware in /sys, without the kernel's configuration lock. It
// walks directories: to be called when ports appear, not while a failover waits. The
// zero Identity is the answer for virtual ports, unknown ports, and when /sys shows
// another network namespace.
func Identify(name string) Identity {
	want, err := identity(name)
	if err != nil {
		return Identity{}
	}
	return identify(Root, name, want)
}

func identify(root, name string, want device) Identity {
	dir, err := classDir(root, name, want)
	if err != nil {
		return Identity{}
	}
	hardware, err := filepath.EvalSymlinks(filepath.Join(dir, "device"))
	if err != nil {
		return Identity{}
	}
	return identityOf(root, hardware, pciChain(root, hardware))
}

// identityOf is identify for the directory of a port's device and the PCI addresses above that.
func identityOf(root, hardware string, chain []string) Identity {
	id := Identity{Driver: target(filepath.Join(hardware, "driver"))}
	switch {
	case target(filepath.Join(hardware, "subsystem")) == "usb":
		// One interface of a device: 1-1.4:1.0 is on the device 1-1.4.
		id.Bus = filepath.Base(hardware)
		id.Card, _, _ = strings.Cut(id.Bus, ":")
	case len(chain) > 0:
		id.Bus = chain[len(chain)-1]
		id.Card = card(root, chain)
		id.describeFunction(pciDir(hardware, id.Bus))
	default:
		id.Bus = filepath.Base(hardware)
		id.Card = id.Bus
	}
	return id
}

// describeFunction adds what the directory of a PCI function says.
func (id *Identity) describeFunction(dir string) {
	for _, file := range []string{"acpi_index", "index"} {
		if n := readCount(dir, file); n.Known && id.Onboard == 0 {
			id.Onboard = int(n.N)
		}
	}
	id.Label = readText(dir, "label")
}

// pciDir is the part of a device's directory that ends with its PCI function.
func pciDir(hardware, address string) string {
	for dir := hardware; dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		if filepath.Base(dir) == address {
			return dir
		}
	}
	return hardware
}

// target is the last element of where a symbolic link points; empty if there is none.
func target(link string) string {
	to, err := os.Readlink(link)
	if err != nil {
		return ""
	}
	return filepath.Base(to)
}

// pciChain lists the PCI addresses from the host bridge down to a device. A virtio or
// auxiliary device sits beneath its PCI function and yields that.
func pciChain(root, hardware string) []string {
	devices, err := filepath.EvalSymlinks(filepath.Join(root, "devices"))
	if err != nil {
		return nil
	}
	rest, err := filepath.Rel(devices, hardware)
	if err != nil {
		return nil
	}
	var chain []string
	at := devices
	for element := range strings.SplitSeq(rest, "/") {
		at = filepath.Join(at, element)
		if target(filepath.Join(at, "subsystem")) == "pci" {
			chain = append(chain, element)
		}
	}
	return chain
}

// card names what a chain of PCI addresses is plugged in as: the nearest physical slot
// that the firmware knows; else what hangs beneath the root port, be it one chip with
// several functions or a switch chip with several of those; else, on the root bus, the
// chip itself.
func card(root string, chain []string) string {
	slots := slotAddresses(root)
	for i := len(chain) - 1; i >= 0; i-- {
		if chip := withoutFunction(chain[i]); slots[chip] {
			return chip
		}
	}
	return withoutFunction(chain[min(1, len(chain)-1)])
}

// slotAddresses reads which chips sit in slots, as addresses without function.
func slotAddresses(root string) map[string]bool {
	files, _ := filepath.Glob(filepath.Join(root, "bus/pci/slots/*/address")) // the pattern is well-formed
	chips := map[string]bool{}
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil {
			chips[strings.TrimSpace(string(b))] = true
		}
	}
	return chips
}

// withoutFunction cuts the function number off a PCI address: 0000:03:00.1 is on the
// chip 0000:03:00.
func withoutFunction(address string) string {
	chip, _, _ := strings.Cut(address, ".")
	return chip
}
