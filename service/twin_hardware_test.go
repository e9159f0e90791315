package service

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"standfast/hw/ethtool"
	"standfast/hw/hwtest"
	"standfast/hw/port"
)

// twinHardware is what carries a twin's ports: a piece of /sys that a test changes as the kernel would, and drivers that say what
// the test has put down for their port.
type twinHardware twinHost

// fittings are what the drivers of a host say, by port. The world's lock guards it.
type fittings struct {
	root    string // of a piece of /sys; empty: there is none
	driver  string // of ports without one
	link    map[string]ethtool.Link
	mode    map[string]ethtool.Mode
	module  map[string]ethtool.Module
	mii     map[string]ethtool.MII
	failing map[string]error // whatever is asked of a driver
	silent  map[string]error // of a module
	hung    map[string]chan struct{}
	asked   map[string]int // questions, by "link p1"
	beneath map[string]string
	events  map[chan port.Uevent]bool
}

func newFittings() *fittings {
	return &fittings{
		driver: "twin",
		link:   map[string]ethtool.Link{}, mode: map[string]ethtool.Mode{}, module: map[string]ethtool.Module{}, mii: map[string]ethtool.MII{},
		failing: map[string]error{}, silent: map[string]error{}, hung: map[string]chan struct{}{}, asked: map[string]int{}, beneath: map[string]string{}, events: map[chan port.Uevent]bool{},
	}
}

func (h *twinHardware) Sensor(of port.State) (portSensor, error) {
	if h.drivers.root == "" {
		return twinSensor{h: h, name: of.Name}, nil
	}
	return port.OpenSensor(h.drivers.root, of)
}

func (h *twinHardware) Uevents() (watcher[port.Uevent], error) {
	return subscribe(h.world, h.drivers.events), nil
}

// enter notes a question and waits for as long as the kernel is stuck with it.
func (h *twinHardware) enter(what string, index int) (*twinPort, func(), error) {
	h.world.mu.Lock()
	for _, p := range h.ports {
		if !p.state.Present || p.state.Index != index {
			continue
		}
		question := what + " " + p.state.Name
		h.drivers.asked[question]++
		if stuck := h.drivers.hung[question]; stuck != nil {
			h.world.mu.Unlock()
			<-stuck
			h.world.mu.Lock()
		}
		return p, h.world.mu.Unlock, h.drivers.failing[p.state.Name]
	}
	return nil, h.world.mu.Unlock, ethtool.ErrGone
}

func (h *twinHardware) Link(index int) (ethtool.Link, error) {
	p, leave, err := h.enter("link", index)
	defer leave()
	if err != nil {
		return ethtool.Link{}, err
	}
	return h.drivers.link[p.state.Name], nil
}

func (h *twinHardware) Mode(index int) (ethtool.Mode, error) {
	p, leave, err := h.enter("mode", index)
	defer leave()
	if err != nil {
		return ethtool.Mode{}, err
	}
	if m, ok := h.drivers.mode[p.state.Name]; ok {
		return m, nil
	}
	return ethtool.Mode{SpeedMbit: 1000}, nil
}

func (h *twinHardware) Module(index int) (ethtool.Module, error) {
	p, leave, err := h.enter("module", index)
	defer leave()
	if err != nil {
		return ethtool.Module{}, err
	}
	if err := h.drivers.silent[p.state.Name]; err != nil {
		return ethtool.Module{}, err
	}
	m, ok := h.drivers.module[p.state.Name]
	if !ok {
		return ethtool.Module{}, errors.ErrUnsupported
	}
	return m, nil
}

func (h *twinHardware) MII(index int) (ethtool.MII, error) {
	p, leave, err := h.enter("mii", index)
	defer leave()
	if err != nil {
		return ethtool.MII{}, err
	}
	m, ok := h.drivers.mii[p.state.Name]
	if !ok {
		return ethtool.MII{}, errors.ErrUnsupported
	}
	return m, nil
}

func (h *twinHardware) Driver(index int) (ethtool.Driver, error) {
	_, leave, err := h.enter("driver", index)
	defer leave()
	return ethtool.Driver{Name: h.drivers.driver, Firmware: "1.63, 0x800009fa"}, err
}

// twinSensor is the sensor of a port without a piece of /sys: what it sends is counted.
type twinSensor struct {
	h    *twinHardware
	name string
}

func (s twinSensor) Identity() port.Identity  { return port.Identity{Driver: s.h.drivers.driver} }
func (twinSensor) Concerned(port.Uevent) bool { return false }

func (s twinSensor) Beneath() string {
	s.h.world.mu.Lock()
	defer s.h.world.mu.Unlock()
	return s.h.drivers.beneath[s.name]
}

func (twinSensor) Answers() port.Truth { return port.Unknown }

func (s twinSensor) Read() port.Signals {
	s.h.world.mu.Lock()
	defer s.h.world.mu.Unlock()
	if p := s.h.ports[s.name]; p == nil || !p.state.Present {
		return port.Signals{Listed: port.No}
	}
	return port.Signals{Listed: port.Yes, ProtoDown: port.No}
}

func (s twinSensor) ReadSent() port.Count {
	s.h.world.mu.Lock()
	defer s.h.world.mu.Unlock()
	if p := s.h.ports[s.name]; p != nil && p.state.Present {
		return port.Count{N: p.left, Known: true}
	}
	return port.Count{}
}

// --- what a test does to the hardware

// sysfs gives the host a piece of /sys, whose ports have its ports' indexes and addresses.
func (h *twinHost) sysfs(t *testing.T, tree string) (root string) {
	t.Helper()
	// In memory where there is such a place: it is some hundred files.
	root, err := os.MkdirTemp("/dev/shm", "sysfs")
	if err != nil {
		root = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	if err := hwtest.UnpackSysfs(root, tree); err != nil {
		t.Fatal(err)
	}
	h.drivers.root = root
	for name, p := range h.ports {
		attribute := func(file string) string {
			text, err := os.ReadFile(filepath.Join(root, "class/net", name, file))
			if err != nil {
				t.Fatal(err)
			}
			return strings.TrimSpace(string(text))
		}
		mac, err := net.ParseMAC(attribute("address"))
		if err != nil {
			t.Fatal(err)
		}
		p.state.MAC = [6]byte(mac)
		if p.state.Index, err = strconv.Atoi(attribute("ifindex")); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// tell has the kernel report something of devices.
func (h *twinHost) tell(e port.Uevent) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	for c := range h.drivers.events {
		c <- e
	}
}

// vanish takes interfaces away, as the kernel does when their device goes.
func (h *twinHost) vanish(names ...string) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	for _, name := range names {
		p := h.ports[name]
		p.state.Present = false
		for _, o := range p.segment.ports {
			if p.segment.cable && o != p {
				o.carrier(port.CarrierDown)
			}
		}
		for c := range h.watchers {
			c <- port.Change{Removed: []int{p.state.Index}}
		}
		for w := range p.wires {
			close(w.frames)
			delete(p.wires, w)
		}
	}
}
