package service

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"standfast/hw/ethtool"
	"standfast/hw/port"
	"standfast/vrrp"
)

// cards is a pair whose routers have two cards each: adverts go over p2p1 of the one, the VIPs live on p1p1 and p1p2 of the other.
type cards struct {
	pair
	root map[*twinHost]string // the piece of /sys of the router that has one
}

const (
	heartDevice  = "devices/pci0000:00/0000:00:02.0"
	servesDevice = "devices/pci0000:00/0000:00:01.0"
)

// newCards gives one of the routers a piece of /sys. Both would have the same hardware addresses.
func newCards(t *testing.T, of func(*cards) *twinHost) *cards {
	t.Helper()
	w := newWorld()
	p := &cards{pair: pair{world: w, cable: &segment{cable: true}}, root: map[*twinHost]string{}}
	lan0, lan1 := &segment{}, &segment{}
	p.a, p.b = w.host("a"), w.host("b")
	for i, h := range []*twinHost{p.a, p.b} {
		h.plug(p.cable, "p2p1", fmt.Sprintf("10.255.0.%d/30", i+1))
		h.plug(lan0, "p1p1")
		h.plug(lan1, "p1p2")
		for _, spare := range []string{"p2p2", "p2p3", "p2p4"} {
			h.plug(&segment{}, spare)
		}
		h.configure(strings.NewReplacer("cable", "p2p1", "lan0", "p1p1", "lan1", "p1p2").Replace(pairFile(100 - 50*i)))
	}
	gateway := w.host("gateway")
	gateway.plug(lan0, "lan0", "192.0.2.254/24")
	gateway.plug(lan1, "lan1", "198.51.100.254/24")
	h := of(p)
	p.root[h] = h.sysfs(t, "ixgbe-dual.constructed")
	return p
}

func primary(p *cards) *twinHost   { return p.a }
func secondary(p *cards) *twinHost { return p.b }

// write changes an attribute of /sys, and remove takes files and directories away.
func (p *cards) write(t *testing.T, h *twinHost, path, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.root[h], path), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (p *cards) remove(t *testing.T, h *twinHost, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.RemoveAll(filepath.Join(p.root[h], path)); err != nil {
			t.Fatal(err)
		}
	}
}

// pull takes a card out: its devices go, one event each, and its interfaces with them.
func (p *cards) pull(t *testing.T, h *twinHost, device string, names ...string) {
	t.Helper()
	h.vanish(names...)
	p.remove(t, h, device)
	for _, name := range names {
		p.remove(t, h, "class/net/"+name)
	}
	h.tell(port.Uevent{Action: "remove", Path: "/" + device, Subsystem: "pci"})
}

// say changes what drivers of the host say, as if each had reported it.
func (h *twinHost) say(change func(d *fittings)) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	change(h.drivers)
}

// dark takes the carrier from one port, and from nobody else.
func (h *twinHost) dark(name string) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	h.ports[name].carrier(port.CarrierDown)
}

func (h *twinHost) lit(name string) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	h.ports[name].carrier(port.CarrierUp)
}

// situation is how a router is, as operators see it.
type situation struct {
	State   string
	Finding string
	Faults  []string // of the instance
	Port    string   // what is wrong with the port that is looked at
	Facts   []string // of it
}

func look(t *testing.T, s *service, name string) situation {
	t.Helper()
	d := statusDocument(snapshotOf(t, s))
	i := d.Instances[0]
	is := situation{State: i.State, Finding: i.Verdict.Finding, Faults: []string{}, Facts: []string{}}
	for _, f := range i.Faults {
		is.Faults = append(is.Faults, f.Cause+" "+f.Text)
	}
	at := slices.IndexFunc(d.Ports, func(p PortDocument) bool { return p.Name == name })
	is.Port = d.Ports[at].Culprit
	for _, f := range d.Ports[at].Facts {
		is.Facts = append(is.Facts, f.Fact)
	}
	return is
}

// story is something that happens to the hardware of one router of a pair that has settled.
type story struct {
	of     func(*cards) *twinHost
	port   string // that is looked at
	happen func(t *testing.T, p *cards, h *twinHost)
	after  time.Duration
	want   situation
	other  string // state of the other router by then
	mend   func(t *testing.T, p *cards, h *twinHost)
	mended situation // ten seconds after that
}

func TestAdapterStories(t *testing.T) {
	reason := func(name string, state ethtool.ExtState, sub uint8) func(t *testing.T, p *cards, h *twinHost) {
		return func(_ *testing.T, _ *cards, h *twinHost) {
			h.say(func(d *fittings) {
				d.link[name] = ethtool.Link{Carrier: ethtool.Down, State: ethtool.Maybe[ethtool.ExtState]{Known: true, V: state}, Substate: ethtool.Maybe[uint8]{Known: true, V: sub}}
			})
			h.dark(name)
		}
	}
	detach := func(err error, names ...string) func(*testing.T, *cards, *twinHost) {
		return func(_ *testing.T, _ *cards, h *twinHost) {
			h.say(func(d *fittings) {
				for _, name := range names {
					d.failing[name] = err
				}
			})
		}
	}
	recovery := func(path string, r port.Recovery) func(*testing.T, *cards, *twinHost) {
		return func(_ *testing.T, _ *cards, h *twinHost) {
			h.tell(port.Uevent{Action: "change", Path: "/" + path, Subsystem: "pci", Recovery: r})
		}
	}
	well := func(state, finding string) situation {
		return situation{State: state, Finding: finding, Faults: []string{}, Facts: []string{}}
	}
	ones := strings.Repeat("\xff", 64)
	const served = "card 0000:05:00 "
	stories := map[string]story{
		"the card of a BACKUP's heartbeat is pulled out": {
			of: secondary, port: "p2p1",
			happen: func(t *testing.T, p *cards, h *twinHost) { p.pull(t, h, heartDevice, "p2p1", "p2p2", "p2p3", "p2p4") },
			after:  200 * time.Millisecond,
			want: situation{State: "BACKUP", Finding: "contested", Faults: []string{},
				Port: "p2p1: card 0000:06:00 gone with p2p1 p2p2 p2p3 p2p4", Facts: []string{"card-gone"}},
			other: "MASTER",
		},
		"the card of a MASTER's heartbeat is pulled out": {
			of: primary, port: "p2p1",
			happen: func(t *testing.T, p *cards, h *twinHost) { p.pull(t, h, heartDevice, "p2p1", "p2p2", "p2p3", "p2p4") },
			after:  10 * time.Second,
			want: situation{State: "MASTER", Finding: "none", Faults: []string{},
				Port: "p2p1: card 0000:06:00 gone with p2p1 p2p2 p2p3 p2p4", Facts: []string{"card-gone"}},
			other: "BACKUP",
		},
		"the card that serves is pulled out": {
			of: primary, port: "p1p2",
			happen: func(t *testing.T, p *cards, h *twinHost) { p.pull(t, h, servesDevice, "p1p1", "p1p2") },
			after:  4 * time.Second,
			want: situation{State: "FAULT", Finding: "isolated",
				Faults: []string{"gone p1p1: " + served + "gone with p1p1 p1p2", "gone p1p2: " + served + "gone with p1p1 p1p2"},
				Port:   "p1p2: " + served + "gone with p1p1 p1p2", Facts: []string{"card-gone"}},
			other: "MASTER",
		},
		"one function of a card is pulled out": {
			of: primary, port: "p1p2",
			happen: func(t *testing.T, p *cards, h *twinHost) { p.pull(t, h, servesDevice+"/0000:05:00.1", "p1p2") },
			after:  3 * time.Second,
			want: situation{State: "FAULT", Finding: "local-fault", Faults: []string{"gone p1p2: device 0000:05:00.1 is gone from the bus"},
				Port: "p1p2: device 0000:05:00.1 is gone from the bus", Facts: []string{}},
			other: "MASTER",
		},
		"the driver of a card is taken away": {
			of: primary, port: "p1p1",
			happen: func(t *testing.T, p *cards, h *twinHost) {
				h.vanish("p1p1", "p1p2")
				p.remove(t, h, "class/net/p1p1", "class/net/p1p2", servesDevice+"/0000:05:00.0/driver", servesDevice+"/0000:05:00.1/driver")
			},
			after: 3 * time.Second,
			want: situation{State: "FAULT", Finding: "isolated",
				Faults: []string{"gone p1p1: " + served + "without a driver with p1p1 p1p2", "gone p1p2: " + served + "without a driver with p1p1 p1p2"},
				Port:   "p1p1: " + served + "without a driver with p1p1 p1p2", Facts: []string{"unbound"}},
			other: "MASTER",
		},
		"interfaces are moved to another namespace": {
			of: primary, port: "p1p1",
			happen: func(t *testing.T, p *cards, h *twinHost) {
				h.vanish("p1p1", "p1p2")
				p.remove(t, h, "class/net/p1p1", "class/net/p1p2")
			},
			after: 3 * time.Second,
			want: situation{State: "FAULT", Finding: "isolated",
				Faults: []string{"gone p1p1: interface does not exist", "gone p1p2: interface does not exist"},
				Port:   "p1p1: interface does not exist", Facts: []string{}},
			other: "MASTER",
		},
		"a driver loses its card and says nothing": {
			of: primary, port: "p1p1", happen: detach(ethtool.ErrDetached, "p1p1", "p1p2"), after: 9 * time.Second,
			want: situation{State: "FAULT", Finding: "isolated",
				Faults: []string{"hardware p1p1: " + served + "lost to its driver with p1p1 p1p2", "hardware p1p2: " + served + "lost to its driver with p1p1 p1p2"},
				Port:   "p1p1: " + served + "lost to its driver with p1p1 p1p2", Facts: []string{"detached"}},
			other: "MASTER",
			mend:  detach(nil, "p1p1", "p1p2"), mended: well("MASTER", "none"),
		},
		"a driver loses one port": {
			of: primary, port: "p1p1", happen: detach(ethtool.ErrDetached, "p1p1"), after: 9 * time.Second,
			want: situation{State: "FAULT", Finding: "local-fault", Faults: []string{"hardware p1p1: its driver has lost the device"},
				Port: "p1p1: its driver has lost the device", Facts: []string{"detached"}},
			other: "MASTER",
		},
		"a driver that does not understand the question": {
			of: primary, port: "p1p1", happen: detach(syscall.EOPNOTSUPP, "p1p1", "p1p2", "p2p1"), after: 20 * time.Second,
			want: well("MASTER", "unproven"), other: "BACKUP",
		},
		"a card no longer answers, and its ports keep their carrier": {
			of: primary, port: "p1p2", happen: func(t *testing.T, p *cards, h *twinHost) {
				p.write(t, h, servesDevice+"/0000:05:00.0/config", ones)
				p.write(t, h, servesDevice+"/0000:05:00.1/config", ones)
			}, after: 22 * time.Second,
			want: situation{State: "FAULT", Finding: "isolated",
				Faults: []string{"hardware p1p1: " + served + "silent on the PCI bus with p1p1 p1p2", "hardware p1p2: " + served + "silent on the PCI bus with p1p1 p1p2"},
				Port:   "p1p2: " + served + "silent on the PCI bus with p1p1 p1p2", Facts: []string{"card-silent"}},
			other: "MASTER",
		},
		"a PCIe error": {
			of: primary, port: "p1p1", happen: recovery(servesDevice, port.RecoveryBegun), after: 4 * time.Second,
			want: situation{State: "FAULT", Finding: "isolated",
				Faults: []string{"hardware p1p1: " + served + "recovering from a PCIe error with p1p1 p1p2", "hardware p1p2: " + served + "recovering from a PCIe error with p1p1 p1p2"},
				Port:   "p1p1: " + served + "recovering from a PCIe error with p1p1 p1p2", Facts: []string{"recovering"}},
			other: "MASTER",
			mend:  recovery(servesDevice, port.RecoveryDone), mended: well("MASTER", "none"),
		},
		"a PCIe error of another card": {
			of: primary, port: "p1p1", happen: recovery(servesDevice+"9", port.RecoveryBegun), after: 4 * time.Second,
			want: well("MASTER", "unproven"), other: "BACKUP",
		},
		"switched off by the operator": {
			of: primary, port: "p1p1", happen: func(_ *testing.T, _ *cards, h *twinHost) {
				h.say(func(d *fittings) {
					d.link["p1p1"] = ethtool.Link{State: ethtool.Maybe[ethtool.ExtState]{Known: true, V: ethtool.ExtNoCable}}
					h.ports["p1p1"].state.AdminUp, h.ports["p1p1"].state.Carrier = false, port.CarrierUnknown
					h.ports["p1p1"].report()
				})
			}, after: 4 * time.Second,
			want: situation{State: "FAULT", Finding: "local-fault", Faults: []string{"admin-down p1p1: administratively down"},
				Port: "p1p1: administratively down", Facts: []string{}},
			other: "MASTER",
		},
		"held down by another protocol": {
			of: primary, port: "p1p1", happen: func(_ *testing.T, _ *cards, h *twinHost) {
				h.say(func(*fittings) { h.ports["p1p1"].state.ProtoDown = true; h.ports["p1p1"].report() })
			}, after: 4 * time.Second,
			want: situation{State: "FAULT", Finding: "local-fault", Faults: []string{"hardware p1p1: held down by another protocol of this host"},
				Port: "p1p1: held down by another protocol of this host", Facts: []string{"proto-down"}},
			other: "MASTER",
		},
		"the cable is pulled out of a BACKUP's heartbeat": {
			of: secondary, port: "p2p1", happen: reason("p2p1", ethtool.ExtNoCable, 0), after: 300 * time.Millisecond,
			want:  situation{State: "BACKUP", Finding: "contested", Faults: []string{}, Port: "p2p1: cage empty", Facts: []string{"cage-empty"}},
			other: "MASTER",
			mend:  func(_ *testing.T, _ *cards, h *twinHost) { h.lit("p2p1") }, mended: well("BACKUP", "none"),
		},
		"the fibre to the peer is broken one way": {
			of: secondary, port: "p2p1", happen: reason("p2p1", ethtool.ExtTrainingFailure, ethtool.TrainingRemoteFault), after: 300 * time.Millisecond,
			want: situation{State: "BACKUP", Finding: "contested", Faults: []string{},
				Port: "p2p1: no carrier: the partner has power and does not hear this port", Facts: []string{"remote-fault"}},
			other: "MASTER",
		},
		"a port that serves hears nobody": {
			of: primary, port: "p1p1", happen: reason("p1p1", ethtool.ExtAutoneg, ethtool.AutonegNoPartner), after: 4 * time.Second,
			want: situation{State: "FAULT", Finding: "local-fault", Faults: []string{"no-carrier p1p1: no carrier: the port is well and hears nobody"},
				Port: "p1p1: no carrier: the port is well and hears nobody", Facts: []string{"no-partner"}},
			other: "MASTER",
		},
		"every port of a card goes dark": {
			of: primary, port: "p1p1", happen: func(_ *testing.T, _ *cards, h *twinHost) {
				h.dark("p1p1")
				h.dark("p1p2")
			}, after: 4 * time.Second,
			want: situation{State: "FAULT", Finding: "isolated",
				Faults: []string{"no-carrier p1p1: no carrier on any port of card 0000:05:00: p1p1 p1p2", "no-carrier p1p2: no carrier on any port of card 0000:05:00: p1p1 p1p2"},
				Port:   "p1p1: no carrier on any port of card 0000:05:00: p1p1 p1p2", Facts: []string{}},
			other: "MASTER",
		},
		"a queue hangs and is reset by the kernel": {
			of: primary, port: "p1p1", happen: func(t *testing.T, p *cards, h *twinHost) {
				p.write(t, h, "class/net/p1p1/queues/tx-3/tx_timeout", "1\n")
			}, after: 6 * time.Second,
			want:  situation{State: "MASTER", Finding: "unproven", Faults: []string{}, Facts: []string{"transmit-hung"}},
			other: "BACKUP",
		},
		"the bus corrects errors": {
			of: primary, port: "p1p1", happen: func(t *testing.T, p *cards, h *twinHost) {
				p.write(t, h, servesDevice+"/aer_dev_correctable", "TOTAL_ERR_COR 4\n")
			}, after: 6 * time.Second,
			want:  situation{State: "MASTER", Finding: "unproven", Faults: []string{}, Facts: []string{"errors-corrected"}},
			other: "BACKUP",
		},
	}
	for name, st := range stories {
		t.Run(name, func(t *testing.T) { st.tell(t) })
	}
}

func (st story) tell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newCards(t, st.of)
		a, b, ended := p.steady(t)
		h, other, s, o := p.a, p.b, a, b
		if st.of(p) == p.b {
			h, other, s, o = p.b, p.a, b, a
		}
		st.happen(t, p, h)
		time.Sleep(st.after)
		synctest.Wait()
		if diff := cmp.Diff(st.want, look(t, s, st.port)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", h.name, diff)
		}
		if got := snapshotOf(t, o).Status.Instances[0].State.String(); got != st.other {
			t.Errorf("%s is %s, want %s", other.name, got, st.other)
		}
		if st.mend != nil {
			st.mend(t, p, h)
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if diff := cmp.Diff(st.mended, look(t, s, st.port)); diff != "" {
				t.Errorf("%s, mended (-want +got):\n%s", h.name, diff)
			}
		}
		ended()
	})
}

// TestFlappingCarrierIsExaminedInMeasure flaps the carrier of a BACKUP's heartbeat: nobody moves, and however fast it is, the
// driver is asked no more than so many times a second.
func TestFlappingCarrierIsExaminedInMeasure(t *testing.T) {
	for _, hertz := range []int{1, 10, 100} {
		t.Run(fmt.Sprint(hertz), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newCards(t, secondary)
				a, b, ended := p.steady(t)
				p.b.say(func(d *fittings) { clear(d.asked) })
				const seconds = 20
				for range seconds * hertz {
					p.b.dark("p2p1")
					time.Sleep(time.Second / time.Duration(2*hertz))
					p.b.lit("p2p1")
					time.Sleep(time.Second / time.Duration(2*hertz))
				}
				synctest.Wait()
				wantState(t, a, vrrp.Master)
				wantState(t, b, vrrp.Backup)
				p.mu.Lock()
				asked := p.b.drivers.asked["link p2p1"]
				p.mu.Unlock()
				if most := seconds * 11; asked == 0 || asked > most {
					t.Errorf("the driver was asked %d times, want up to %d", asked, most)
				}
				ended()
			})
		})
	}
}

// TestStuckDriverKeepsNobodyWaiting has the kernel hold everybody who asks a driver, as it does while one resets its card: the pair
// goes on, what needs no driver is still found, and status says what hangs.
func TestStuckDriverKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newCards(t, primary)
		a, b, ended := p.steady(t)
		release := make(chan struct{})
		p.a.say(func(d *fittings) {
			for _, name := range []string{"p1p1", "p1p2", "p2p1"} {
				for _, what := range []string{"link", "mode", "module", "driver"} {
					d.hung[what+" "+name] = release
				}
			}
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		wantState(t, a, vrrp.Master)
		wantState(t, b, vrrp.Backup)
		d := statusDocument(snapshotOf(t, a))
		if since := d.Ports[0].Unanswered["link"]; since < 50 || since > 60 {
			t.Errorf("%s: unanswered for seconds: %v", d.Ports[0].Name, d.Ports[0].Unanswered)
		}
		stuck := 0
		for _, port := range d.Ports {
			stuck += len(port.Unanswered)
		}
		if stuck > givenUpAtOnce {
			t.Errorf("%d questions hang, each with a thread", stuck)
		}
		p.write(t, p.a, servesDevice+"/0000:05:00.0/config", strings.Repeat("\xff", 64))
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if got := look(t, a, "p1p1"); !slices.Contains(got.Facts, "card-silent") {
			t.Errorf("behind a driver that hangs nothing is found: %+v", got)
		}
		p.a.say(func(d *fittings) { clear(d.hung) })
		close(release)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if d := statusDocument(snapshotOf(t, a)); len(d.Ports[0].Unanswered) != 0 {
			t.Errorf("answered, and still said to hang: %v", d.Ports[0].Unanswered)
		}
		ended()
	})
}

// TestAdvertsThatDoNotLeave has the port of a MASTER take adverts and send none, and keep its carrier.
func TestAdvertsThatDoNotLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		a, _, ended := p.steady(t)
		stall := func(v bool) {
			p.mu.Lock()
			p.a.ports["cable"].stalled = v
			p.mu.Unlock()
		}
		stall(true)
		time.Sleep(stalledAfter - 2*time.Second)
		synctest.Wait()
		if got := look(t, a, "cable"); len(got.Facts) != 0 {
			t.Errorf("too early: %+v", got)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if got := look(t, a, "cable"); !slices.Contains(got.Facts, "transmit-stalled") || got.Port != "cable: adverts are handed to it and do not leave" {
			t.Errorf("adverts do not leave: %+v", got)
		}
		stall(false)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if got := look(t, a, "cable"); len(got.Facts) != 0 {
			t.Errorf("adverts leave again: %+v", got)
		}
		ended()
	})
}

// TestNothingIsHeldAgainstWell looks at a pair that is well for two minutes: nobody has a fact against it.
func TestNothingIsHeldAgainstWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newCards(t, primary)
		a, b, ended := p.steady(t)
		for range 120 {
			time.Sleep(time.Second)
			synctest.Wait()
			for _, s := range []*service{a, b} {
				for _, name := range []string{"p2p1", "p1p1", "p1p2"} {
					if got := look(t, s, name); len(got.Facts) != 0 || got.Port != "" {
						t.Fatalf("%s: %+v", name, got)
					}
				}
			}
		}
		d := statusDocument(snapshotOf(t, a))
		at := slices.IndexFunc(d.Ports, func(p PortDocument) bool { return p.Name == "p1p1" })
		got := d.Ports[at]
		if got.Card != "0000:05:00" || got.Bus != "0000:05:00.0" || got.Driver != "ixgbe" || got.Firmware == "" || got.Speed != 1000 ||
			!slices.Equal(got.Siblings, []string{"p1p2"}) || got.Errors["bus_corrected"] != 0 || len(got.Errors) != 4 {
			t.Errorf("p1p1 is %+v", got)
		}
		ended()
	})
}

// TestPartnerAsleep has the link of a BACKUP come back slower, with nobody at the other end.
func TestPartnerAsleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		_, b, ended := p.steady(t)
		time.Sleep(20 * time.Second) // the speed is read while adverts pass
		p.a.powerOff()
		time.Sleep(2 * time.Second)
		p.b.say(func(d *fittings) { d.mode["cable"] = ethtool.Mode{SpeedMbit: 100} })
		p.b.lit("cable")
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if got := look(t, b, "cable"); !slices.Contains(got.Facts, "partner-asleep") || got.State != "MASTER" {
			t.Errorf("the peer was shut down: %+v", got)
		}
		ended()
	})
}

// TestWhenPortsAreExamined follows the questions after a loss of carrier: the link at once and twice again, the module, which keeps
// a takeover from the kernel, only then.
func TestWhenPortsAreExamined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		p.b.drivers.module["cable"] = oneLane(ethtool.Lane{LightLost: maybe(true)})
		_, b, ended := p.steady(t)
		for b.edges.now()%linkEvery < 100*time.Millisecond || b.edges.now()%linkEvery > 200*time.Millisecond {
			time.Sleep(50 * time.Millisecond) // well clear of the slow survey
		}
		asked := func(after time.Duration) (link, module int) {
			time.Sleep(after)
			synctest.Wait()
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.b.drivers.asked["link cable"], p.b.drivers.asked["module cable"]
		}
		link, module := asked(0)
		p.b.dark("cable")
		for _, c := range []struct {
			after         time.Duration
			links, module int
		}{{10 * time.Millisecond, 1, 0}, {900 * time.Millisecond, 1, 0}, {300 * time.Millisecond, 2, 1}, {1700 * time.Millisecond, 2, 1}, {200 * time.Millisecond, 3, 2}} {
			l, m := asked(c.after)
			if l-link != c.links || m-module != c.module {
				t.Errorf("%v later: the link was asked %d times and the module %d, want %d and %d", c.after, l-link, m-module, c.links, c.module)
			}
		}
		if got := look(t, b, "cable"); !slices.Contains(got.Facts, "no-light") {
			t.Errorf("no light was seen: %+v", got)
		}
		ended()
	})
}
