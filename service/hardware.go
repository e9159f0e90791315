package service

import (
	"errors"

	"standfast/hw/ethtool"
	"standfast/hw/port"
)

// hostHardware asks the drivers of this host. Questions about modules go over a connection of their own, since
// a slow module holds it; nil where the kernel lets none be opened.
type hostHardware struct{ drivers, modules *ethtool.Client }

// openHardware goes without the drivers' own word where there is none to be had.
func openHardware() hostHardware {
	var h hostHardware
	for _, c := range []**ethtool.Client{&h.drivers, &h.modules} {
		if opened, err := ethtool.Open(); err == nil {
			*c = opened
		}
	}
	return h
}

func (hostHardware) Sensor(of port.State) (portSensor, error) { return port.OpenSensor(port.Root, of) }
func (hostHardware) Uevents() (watcher[port.Uevent], error)   { return port.WatchUevents() }
func (h hostHardware) Link(index int) (ethtool.Link, error) {
	return through(h.drivers, index, (*ethtool.Client).Link)
}
func (h hostHardware) Mode(index int) (ethtool.Mode, error) {
	return through(h.drivers, index, (*ethtool.Client).Mode)
}
func (h hostHardware) Module(index int) (ethtool.Module, error) {
	return through(h.modules, index, (*ethtool.Client).Module)
}
func (h hostHardware) MII(index int) (ethtool.MII, error) {
	return through(h.drivers, index, (*ethtool.Client).MII)
}
func (h hostHardware) Driver(index int) (ethtool.Driver, error) {
	return through(h.drivers, index, (*ethtool.Client).Driver)
}

func through[V any](c *ethtool.Client, index int, ask func(*ethtool.Client, int) (V, error)) (V, error) {
	if c == nil {
		var none V
		return none, errors.ErrUnsupported
	}
	return ask(c, index)
}
