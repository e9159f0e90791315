package hwtest

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os/exec"
	"time"

	"github.com/vishvananda/netlink"
)

// A Router is a machine with ports. It is powered on when made.
type Router struct {
	lab    *Lab
	name   string
	ports  []*Port
	sysctl map[string]string

	room *Namespace // guarded by lab.mu: another one after each PowerOn

	// Guarded by lab.gate.
	off    bool
	paused bool
}

// A Port is a network device of a router, at one end of a link.
type Port struct {
	name      string
	mac       [6]byte
	router    *Router
	end       *end
	addresses []netip.Prefix
}

// Router makes a router without ports. IPv4 forwarding is on.
func (l *Lab) Router(name string) (*Router, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &Router{lab: l, name: name, sysctl: make(map[string]string)}
	if err := r.boot(); err != nil {
		return nil, err
	}
	l.routers = append(l.routers, r)
	return r, r.set("net/ipv4/ip_forward", "1")
}

// Name returns the name given to [Lab.Router].
func (r *Router) Name() string { return r.name }

// Ports returns the router's ports in the order of their making.
func (r *Router) Ports() []*Port {
	r.lab.mu.Lock()
	defer r.lab.mu.Unlock()
	return append([]*Port(nil), r.ports...)
}

// Port returns the port with that name, or nil.
func (r *Router) Port(name string) *Port {
	for _, p := range r.Ports() {
		if p.name == name {
			return p
		}
	}
	return nil
}

// Namespace returns the router's namespace of the moment; after a [Router.PowerOn] it is another one.
func (r *Router) Namespace() *Namespace {
	r.lab.mu.Lock()
	defer r.lab.mu.Unlock()
	return r.room
}

// Start starts a command in the router: its namespace, its sysfs, its empty /run.
func (r *Router) Start(cmd *exec.Cmd) (*Process, error) { return r.Namespace().Start(cmd) }

// Sysctl writes a kernel parameter, named by its path below /proc/sys, now and at each PowerOn.
func (r *Router) Sysctl(name, value string) error {
	r.lab.mu.Lock()
	defer r.lab.mu.Unlock()
	return r.set(name, value)
}

func (r *Router) set(name, value string) error {
	r.sysctl[name] = value
	return r.room.Sysctl(name, value)
}

// newPort names a port. It has no device before it is plugged into a link. The caller holds lab.mu.
func (r *Router) newPort(name string) (*Port, error) {
	for _, p := range r.ports {
		if p.name == name {
			return nil, fmt.Errorf("router %s has a port %s already", r.name, name)
		}
	}
	p := &Port{name: name, mac: r.lab.nextMAC(), router: r, end: &end{router: r}}
	r.ports = append(r.ports, p)
	return p, nil
}

// plug makes the port's device. The caller holds lab.mu.
func (p *Port) plug() error {
	t, err := openTap(p.router.room, p.router.lab.node, p.name, p.mac)
	if err != nil {
		return fmt.Errorf("router %s: %w", p.router.name, err)
	}
	if err := p.end.plug(t); err != nil {
		return err
	}
	for _, prefix := range p.addresses {
		if err := p.add(prefix); err != nil {
			return err
		}
	}
	return nil
}

// Name returns the port's interface name.
func (p *Port) Name() string { return p.name }

// MAC returns the port's hardware address; it stays the same over a PowerOn.
func (p *Port) MAC() [6]byte { return p.mac }

// Router returns the router that the port belongs to.
func (p *Port) Router() *Router { return p.router }

// Link returns the link that the port is on.
func (p *Port) Link() *Link { return p.end.link }

// Index returns the port's interface index of the moment.
func (p *Port) Index() int {
	p.router.lab.mu.Lock()
	defer p.router.lab.mu.Unlock()
	return p.end.tap.index
}

// SwitchedAt returns when the port's carrier last changed at the device.
func (p *Port) SwitchedAt() time.Time {
	p.router.lab.mu.Lock()
	defer p.router.lab.mu.Unlock()
	return p.end.switched
}

// AddAddress gives the port a permanent address, now and at each PowerOn.
func (p *Port) AddAddress(prefix netip.Prefix) error {
	p.router.lab.mu.Lock()
	defer p.router.lab.mu.Unlock()
	if err := p.add(prefix); err != nil {
		return err
	}
	p.addresses = append(p.addresses, prefix)
	return nil
}

func (p *Port) add(prefix netip.Prefix) error {
	if err := addAddress(p.router.room.kernel, p.end.tap.index, prefix); err != nil {
		return fmt.Errorf("router %s: %s on %s: %w", p.router.name, prefix, p.name, err)
	}
	return nil
}

// addAddress adds an address without duplicate address detection.
func addAddress(kernel *netlink.Handle, index int, prefix netip.Prefix) error {
	ip := net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())}
	a := &netlink.Addr{IPNet: &ip}
	if prefix.Addr().Is6() {
		a.Flags = ifaNoDAD
	}
	return kernel.AddrAdd(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: index}}, a)
}

// PowerOff takes the router's power. In one instant, the one returned, every frame from and to every port of it is lost; no
// answer to anything can come later. Then the other end of each port loses its carrier: after the time that fade gives for the
// port, or all at once, in the order of the ports' making, without fade. The router's processes run on in the dark, since
// ending them costs time that belongs to the survivor; [Router.PowerOn] or [Lab.Close] ends them.
func (r *Router) PowerOff(fade func(*Port) time.Duration) (time.Time, error) {
	r.lab.mu.Lock()
	defer r.lab.mu.Unlock()
	r.lab.gate.Lock()
	r.off = true
	dark := time.Now()
	r.lab.gate.Unlock()
	room := r.room
	var errs []error
	for _, p := range r.ports {
		far := p.end.link.ends[1-p.end.side]
		if fade == nil {
			errs = append(errs, far.light())
			continue
		}
		time.AfterFunc(fade(p), func() { r.fade(room, far) })
	}
	return dark, errors.Join(errs...)
}

// fade takes the carrier from a far end, unless power is back by now or the laboratory closed.
func (r *Router) fade(room *Namespace, far *end) {
	r.lab.mu.Lock()
	defer r.lab.mu.Unlock()
	if r.room == room && !r.lab.closed {
		far.light() // cannot fail: a tap without a carrier switch was refused when it was made
	}
}

// PowerOn starts the router again as a machine does that was switched on: another kernel namespace with the same ports,
// permanent addresses and parameters, and no process.
func (r *Router) PowerOn() error {
	r.lab.mu.Lock()
	defer r.lab.mu.Unlock()
	if !r.off {
		return fmt.Errorf("router %s has power already", r.name)
	}
	errs := []error{r.room.Close()} // first, lest a process sees its ports vanish
	for _, p := range r.ports {
		errs = append(errs, p.end.unplug())
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := r.boot(); err != nil {
		return err
	}
	r.lab.gate.Lock()
	r.off, r.paused = false, false
	r.lab.gate.Unlock()
	for _, p := range r.ports {
		far := p.end.link.ends[1-p.end.side]
		errs = append(errs, p.plug(), far.light())
	}
	return errors.Join(errs...)
}

// boot makes the router's namespace and sets its parameters. The caller holds lab.mu.
func (r *Router) boot() error {
	room, err := newNamespace(true)
	if err != nil {
		return fmt.Errorf("router %s: %w", r.name, err)
	}
	r.room = room
	for name, value := range maps.All(r.sysctl) {
		if err := room.Sysctl(name, value); err != nil {
			return fmt.Errorf("router %s: %w", r.name, err)
		}
	}
	return nil
}

// Powered tells whether the router has power.
func (r *Router) Powered() bool {
	r.lab.gate.RLock()
	defer r.lab.gate.RUnlock()
	return !r.off
}

// Pause silences every port of the router at once, as PowerOff does, but every carrier stays: a machine that hangs.
func (r *Router) Pause() { r.pause(true) }

// Resume undoes Pause.
func (r *Router) Resume() { r.pause(false) }

func (r *Router) pause(paused bool) {
	r.lab.gate.Lock()
	defer r.lab.gate.Unlock()
	r.paused = paused
}

// Cable joins two routers by a cable between new ports with the given names.
func (l *Lab) Cable(a *Router, portA string, b *Router, portB string) (*Link, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	pa, err := a.newPort(portA)
	if err != nil {
		return nil, err
	}
	pb, err := b.newPort(portB)
	if err != nil {
		return nil, err
	}
	link := l.newLink(pa.end, pb.end)
	return link, errors.Join(pa.plug(), pb.plug())
}
