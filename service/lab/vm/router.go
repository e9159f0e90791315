package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"standfast/service"
	"standfast/service/lab/vm/machine"
	"standfast/service/lab/vm/nbd"
)

// A daemon is what a router runs.
type daemon string

const (
	standfast  daemon = "standfast"
	keepalived daemon = "keepalived"
	untracked  daemon = "keepalived, dont_track_primary"
)

// bootPatience is how long a machine may take to boot, shellPatience a command in it.
const (
	bootPatience  = 4 * time.Minute
	shellPatience = 90 * time.Second
)

// A computer is what a router needs of its machine while that has power.
type computer interface {
	Run(ctx context.Context, script string) (string, error)
	Console() string
	Lines() []machine.Line
	SetLink(port int, up bool) error
	RemoveCard() error
	RemoveDisk() error
	PowerOff()
	Powered() bool
	Ended() <-chan struct{}
	Resets() <-chan string
}

// A router is one of the two machines, with a disk that outlives its power.
type router struct {
	lab      *lab
	name     string
	number   int // the last octet of its own addresses on the LANs
	priority int
	disk     *nbd.Disk
	base     *os.File // of which the disk is a copy
	spoiled  bool     // the disk
	runs     daemon   // what is set up on the disk; empty: nothing yet
	read     int      // how much of the console

	mu     sync.Mutex
	vm     computer // nil before its first power
	lit    bool     // the carrier of its end of the cable
	past   past     // for the pictures
	dark   bool     // its own end of the cable gives no light: it begins anew
	bare   bool     // the card is out
	maimed bool     // a part was pulled out; it wants new power to have it again
}

// furnish gives the router whatever it lacks: power, its parts, a disk. It does not wait until it has booted.
func (r *router) furnish(ctx context.Context) error {
	if r.powered() && (r.maimed || r.spoiled) {
		r.vm.PowerOff()
	}
	if r.powered() {
		return nil
	}
	if r.disk == nil || r.spoiled {
		if err := r.insert(); err != nil {
			return err
		}
	}
	r.lab.say("%s gets power", r.name)
	return r.powerOn(ctx)
}

// insert gives the router a new disk, with nothing of ours on it.
func (r *router) insert() (err error) {
	if err := r.discard(); err != nil {
		return err
	}
	base, err := os.Open(r.lab.image.Disk)
	if err != nil {
		return err
	}
	info, err := base.Stat()
	if err == nil {
		r.disk, err = nbd.Serve(filepath.Join(r.lab.folder, "disk."+r.name), base, info.Size())
	}
	r.base, r.spoiled, r.runs = base, false, ""
	return err
}

// discard throws the disk away.
func (r *router) discard() error {
	if r.disk == nil {
		return nil
	}
	err := errors.Join(r.disk.Close(), r.base.Close())
	r.disk = nil
	return err
}

// spoil marks the disk: what is on it is no good for another story.
func (r *router) spoil() { r.spoiled = true }

// arise waits until the router has booted and runs the daemon, on a new disk from the package.
func (r *router) arise(ctx context.Context, d daemon) error {
	if err := r.booted(ctx); err != nil {
		return err
	}
	if r.runs == "" {
		if err := r.install(ctx); err != nil {
			return err
		}
		r.lab.say("%s has its package installed", r.name)
	}
	return r.wear(ctx, d)
}

// scrap takes the power and the disk.
func (r *router) scrap() error {
	if r.vm != nil {
		r.vm.PowerOff()
	}
	return r.discard()
}

// shines says whether the other end of the cable sees a carrier.
func (r *router) shines() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.vm != nil && r.vm.Powered() && !r.dark && !r.bare
}

// light sets the carrier of the cable's end.
func (r *router) light(on bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.vm == nil || !r.vm.Powered() || r.bare || r.lit == on {
		return nil
	}
	if err := r.vm.SetLink(0, on); err != nil && r.vm.Powered() {
		return err
	}
	r.lit = on
	r.past.carrier = append(r.past.carrier, change{r.lab.now(), on})
	return nil
}

// powerOn gives the router power; it boots.
func (r *router) powerOn(ctx context.Context) error {
	l := r.lab
	o := machine.Options{
		Name: r.name, Folder: filepath.Join(l.folder, r.name), Image: l.image, Accelerator: l.accel, MemoryMB: 512,
		Disk: filepath.Join(l.folder, "disk."+r.name), Payload: l.payload,
		Wires: [machine.Ports]string{
			filepath.Join(l.folder, "cable."+r.name), filepath.Join(l.folder, "lan."+r.name), filepath.Join(l.folder, "wan."+r.name), "",
		},
		Down: [machine.Ports]bool{0: true},
	}
	for port := range o.MACs {
		o.MACs[port] = [6]byte{0x52, 0x54, 0, 0, byte(r.number), byte(port + 1)}
	}
	vm, err := machine.Start(ctx, o)
	if err != nil {
		return err
	}
	return r.take(vm)
}

// take makes a machine the router's, whose end of the cable has no carrier yet.
func (r *router) take(vm computer) error {
	now := r.lab.now()
	r.mu.Lock()
	r.vm, r.read, r.lit, r.dark, r.bare, r.maimed = vm, 0, false, false, false, false
	r.past.power = append(r.past.power, change{now, true})
	r.past.carrier = append(r.past.carrier, change{now, false})
	r.mu.Unlock()
	go r.attend(vm)
	return r.lab.settle()
}

// attend keeps the carrier of the cable true until the machine has no power.
func (r *router) attend(vm computer) {
	var light <-chan time.Time
	for {
		select {
		case <-vm.Ended():
			r.mu.Lock()
			if r.vm == vm {
				r.past.power = append(r.past.power, change{r.lab.now(), false})
			}
			r.mu.Unlock()
			_ = r.lab.settle() // the machine whose link it sets may end as well
			return
		case <-vm.Resets():
			r.shade(vm, true)
			light = time.After(resetDark)
		case <-light:
			r.shade(vm, false)
		}
	}
}

// shade has the router's end of the cable give no light, or light again.
func (r *router) shade(vm computer, dark bool) {
	r.mu.Lock()
	if r.vm == vm {
		r.dark = dark
	}
	r.mu.Unlock()
	_ = r.lab.settle()
}

// powerOff takes the power away.
func (r *router) powerOff() error {
	r.vm.PowerOff()
	return r.lab.settle()
}

// unused is a port of the card without a wire: to give it carrier changes nothing, as long as it is there.
const unused = machine.Ports - 1

// pullCard pulls the card out, with all its ports. The other end of the cable goes dark when the machine has let go of it.
func (r *router) pullCard(ctx context.Context) error {
	r.mu.Lock()
	r.maimed = true
	err := r.vm.RemoveCard()
	r.mu.Unlock()
	if err != nil {
		return err
	}
	if err := until(ctx, 20*time.Second, r.name+" lets go of its card", func() bool { return r.vm.SetLink(unused, true) != nil }); err != nil {
		return err
	}
	r.mu.Lock()
	r.bare = true
	r.mu.Unlock()
	return r.lab.settle()
}

// pullDisk pulls the disk out.
func (r *router) pullDisk() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.maimed = true
	return r.vm.RemoveDisk()
}

// powered says whether it has power.
func (r *router) powered() bool { return r.vm != nil && r.vm.Powered() }

// run has the machine run a script.
func (r *router) run(ctx context.Context, script string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, shellPatience)
	defer cancel()
	return r.vm.Run(ctx, script)
}

// booted waits until the machine is up.
func (r *router) booted(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootPatience)
	defer cancel()
	_, err := r.vm.Run(ctx, "until systemctl --quiet is-active multi-user.target; do sleep 0.2; done")
	return err
}

// network are the settings of the router's ports, for systemd-networkd.
func (r *router) network() string {
	var b strings.Builder
	port := func(name, address string) {
		fmt.Fprintf(&b, "cat >/etc/systemd/network/20-%s.network <<'END'\n[Match]\nName=%s\n[Network]\nAddress=%s\nLinkLocalAddressing=no\n"+
			"IPv6AcceptRA=no\nKeepConfiguration=static\nConfigureWithoutCarrier=yes\nEND\n", name, name, address)
	}
	port("p4p1", fmt.Sprintf("10.255.0.%d/30", r.number-1))
	port("p4p2", fmt.Sprintf("%s%d/24", lanNet, r.number))
	port("p4p3", fmt.Sprintf("%s%d/24", wanNet, r.number))
	return b.String()
}

// configuration is keepalived's file, for either daemon.
func (r *router) configuration(d daemon) string {
	extra := ""
	if d == untracked {
		extra = "    dont_track_primary\n"
	}
	return fmt.Sprintf(`global_defs {
    router_id %s
}
vrrp_instance VI_1 {
    state BACKUP
    interface p4p1
    virtual_router_id %d
    priority %d
    advert_int 1
%s    virtual_ipaddress {
        %s/24 dev p4p2
        %s/24 dev p4p3
    }
}
`, r.name, vrid, r.priority, extra, lanVIP, wanVIP)
}

// install brings the package onto the machine, from its second disk, and the configuration.
func (r *router) install(ctx context.Context) error {
	_, err := r.run(ctx, r.network()+fmt.Sprintf(`set -e
tar -xf /dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_payload -C /root
rpm -i --nodeps /root/%s
rpm -V --nodeps standfast
cat >/etc/standfast/standfast.conf <<'END'
%sEND
systemctl enable standfast.service
networkctl reload
systemctl start standfast.service
systemctl is-active standfast.service`, r.lab.version[0], r.configuration(standfast)))
	if err == nil {
		r.runs = standfast
	}
	return err
}

// wear has the router run one daemon, and not the other.
func (r *router) wear(ctx context.Context, d daemon) error {
	if r.runs == d {
		return nil
	}
	const ours = "standfast.service standfast-scripts.service standfast-disk.service"
	script := "systemctl --quiet disable --now keepalived.service\nsystemctl --quiet enable --now standfast.service\nsystemctl is-active standfast.service"
	if d != standfast {
		script = "systemctl --quiet disable --now " + ours + "\ncat >/etc/keepalived/keepalived.conf <<'END'\n" + r.configuration(d) + "END\n" +
			"systemctl --quiet enable keepalived.service\nsystemctl restart keepalived.service\nsystemctl is-active keepalived.service"
	}
	_, err := r.run(ctx, script)
	if err == nil {
		r.runs = d
	}
	return err
}

// status asks the service in the machine.
func (r *router) status(ctx context.Context) (s service.StatusDocument, err error) {
	return s, r.ask(ctx, "status", &s)
}

// why asks the service in the machine for its reasons.
func (r *router) why(ctx context.Context) (w service.WhyDocument, err error) {
	return w, r.ask(ctx, "why", &w)
}

func (r *router) ask(ctx context.Context, verb string, document any) error {
	text, err := r.run(ctx, "standfast "+verb+" --json")
	if err != nil && errors.As(err, new(machine.Exit)) && strings.HasPrefix(strings.TrimSpace(text), "{") {
		err = nil // 1: it is not well, and says why
	}
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), document)
}

// said are the lines of the console that match, of those that came since the last mark.
func (r *router) said(pattern string) []string {
	return regexp.MustCompile(`(?m)`+pattern).FindAllString(r.vm.Console()[r.read:], -1)
}

// mark forgets what was said.
func (r *router) mark() {
	if r.vm != nil {
		r.read = len(r.vm.Console())
	}
}
