package lab

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"standfast/configfs"
	"standfast/hw/hwtest"
)

// HeartbeatPort is the port on which the routers send adverts, SparePort one that serves nothing.
const (
	HeartbeatPort = "p4p1"
	SparePort     = "p1p2"
)

// Numbers of the routers in a [hwtest.Set].
const (
	SideA hwtest.Set = 1 << iota
	SideB
)

// MasterDown is how long B waits for an advert before it takes over: three intervals of 1 s and the skew of priority 50.
const MasterDown = 3*time.Second + (256-priorityB)*time.Second/256

const (
	priorityA = 100
	priorityB = 50
)

// A Member is one of the two routers.
type Member struct {
	*hwtest.Router
	// Config is the configuration that Start writes; it may be changed before.
	Config []byte
	// Log is what the daemons wrote since the pair was made.
	Log *Log

	dir     string
	daemon  Daemon
	process *hwtest.Process
}

// A LAN is one of the three that the pair serves.
type LAN struct {
	Port    string // of both routers
	VIP     netip.Prefix
	Gateway netip.Prefix
	Switch  *hwtest.Switch
	Client  *hwtest.Host
}

// A Pair is the two routers, their cable and their LANs. No daemon runs at first.
type Pair struct {
	Lab   *hwtest.Lab
	A, B  *Member
	Cable *hwtest.Link
	LANs  []*LAN

	dir string
}

// Options of a pair.
type Options struct {
	// Addresses gives the routers' LAN ports addresses of their own: A .2, B .3.
	Addresses bool
}

// NewPair builds the pair in an empty laboratory. The caller closes the pair, then the laboratory.
func NewPair(l *hwtest.Lab, o Options) (*Pair, error) {
	dir, err := os.MkdirTemp("", "standfast-lab-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the pair: %w", err)
	}
	p := &Pair{Lab: l, dir: dir}
	if err := p.build(o); err != nil {
		return nil, errors.Join(fmt.Errorf("build the pair: %w", err), os.RemoveAll(dir))
	}
	return p, nil
}

func (p *Pair) build(o Options) error {
	var err error
	if p.A, err = p.newMember("A", configfs.Story("RTR-CORE-A", priorityA)); err != nil {
		return err
	}
	if p.B, err = p.newMember("B", configfs.Story("RTR-CORE-B", priorityB)); err != nil {
		return err
	}
	if p.Cable, err = p.Lab.Cable(p.A.Router, HeartbeatPort, p.B.Router, HeartbeatPort); err != nil {
		return err
	}
	for i, m := range p.Members() {
		if err := m.Port(HeartbeatPort).AddAddress(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 255, 0, byte(i + 1)}), 30)); err != nil {
			return err
		}
	}
	for _, lan := range []LAN{
		{Port: "p3p1", VIP: netip.MustParsePrefix("192.168.10.1/24"), Gateway: netip.MustParsePrefix("192.168.10.254/24")},
		{Port: "p3p2", VIP: netip.MustParsePrefix("192.168.20.1/24"), Gateway: netip.MustParsePrefix("192.168.20.254/24")},
		{Port: "p1p1", VIP: netip.MustParsePrefix("203.0.113.1/24"), Gateway: netip.MustParsePrefix("203.0.113.254/24")},
	} {
		if err := p.addLAN(lan, o); err != nil {
			return err
		}
	}
	spare, err := p.Lab.Switch("spare")
	if err != nil {
		return err
	}
	for _, m := range p.Members() {
		if _, err := spare.Connect(m.Router, SparePort); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pair) newMember(name string, config []byte) (*Member, error) {
	r, err := p.Lab.Router(name)
	if err != nil {
		return nil, err
	}
	m := &Member{Router: r, Config: config, Log: new(Log), dir: filepath.Join(p.dir, name)}
	return m, os.Mkdir(m.dir, 0o755)
}

// addLAN makes a LAN with its gateway and client and connects both routers.
func (p *Pair) addLAN(lan LAN, o Options) error {
	var err error
	if lan.Switch, err = p.Lab.Switch(lan.Port); err != nil {
		return err
	}
	if err := lan.Switch.AddGateway(lan.Gateway); err != nil {
		return err
	}
	for i, m := range p.Members() {
		port, err := lan.Switch.Connect(m.Router, lan.Port)
		if err != nil {
			return err
		}
		if !o.Addresses {
			continue
		}
		if err := port.AddAddress(station(lan.VIP, byte(i+2))); err != nil {
			return err
		}
	}
	if lan.Client, err = lan.Switch.Host("client-"+lan.Port, station(lan.VIP, 100)); err != nil {
		return err
	}
	p.LANs = append(p.LANs, &lan)
	return nil
}

// station returns the address with the given last byte in a network.
func station(network netip.Prefix, last byte) netip.Prefix {
	a := network.Addr().As4()
	a[3] = last
	return netip.PrefixFrom(netip.AddrFrom4(a), network.Bits())
}

// Members returns A and B.
func (p *Pair) Members() []*Member { return []*Member{p.A, p.B} }

// Close removes the pair's files. The routers go with the laboratory.
func (p *Pair) Close() error { return os.RemoveAll(p.dir) }

// Observe begins to observe the pair with the given time between samples, zero for 10 ms: A and B are [SideA] and [SideB], the
// VIPs are in the order of the LANs.
func (p *Pair) Observe(every time.Duration) (*hwtest.Observer, error) {
	w := hwtest.Watch{Routers: []*hwtest.Router{p.A.Router, p.B.Router}, Every: every}
	for _, lan := range p.LANs {
		w.VIPs = append(w.VIPs, hwtest.VIP{Addr: lan.VIP.Addr(), From: lan.Client})
	}
	return p.Lab.Observe(w)
}

// Start starts a daemon on the member with the member's configuration.
func (m *Member) Start(d Daemon) error {
	cmd, err := m.prepare(d)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = m.Log, m.Log
	return m.launch(cmd)
}

// prepare writes the member's configuration and returns how the daemon is started with it.
func (m *Member) prepare(d Daemon) (*exec.Cmd, error) {
	file, err := d.install(m.dir, m.Config)
	if err != nil {
		return nil, err
	}
	m.daemon = d
	return d.Command(file), nil
}

// launch starts what prepare returned.
func (m *Member) launch(cmd *exec.Cmd) (err error) {
	m.process, err = m.Router.Start(cmd)
	return err
}

// Restart gives a member that lost power its power back and starts the daemon that ran on it.
func (m *Member) Restart() error {
	if err := m.PowerOn(); err != nil {
		return err
	}
	return m.Start(m.daemon)
}

// Daemon returns the process of the daemon that was started last.
func (m *Member) Daemon() *hwtest.Process { return m.process }

// Dir returns the folder with the member's configuration router.conf, its notify scripts and the file "notified" to which they
// write. It is on a disk: it stays when the member loses power.
func (m *Member) Dir() string { return m.dir }

// MoveTo makes a folder the member's from the next start on. It has to be found by that name in the router too.
func (m *Member) MoveTo(dir string) error {
	m.dir = dir
	return os.MkdirAll(dir, 0o755)
}

// Ask runs standfast's command line in the router, with the daemon's runtime directory, and returns what it printed.
func (m *Member) Ask(args ...string) (string, error) {
	var out Log
	cmd := exec.Command(cmp.Or(m.daemon.Tool, m.daemon.Program), append(args, "--runtime-dir", RuntimeDir)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := m.Router.Start(cmd)
	if err != nil {
		return "", err
	}
	err = p.Wait()
	return out.String(), err
}
