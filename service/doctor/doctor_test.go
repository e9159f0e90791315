package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"standfast/configfs"
	"standfast/hw/port"
	"standfast/service"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the doctor's pages in testdata")

// sickbed is a host that a test makes up.
type sickbed struct {
	files      fstest.MapFS
	states     []port.State
	identities map[string]port.Identity
	status     *service.StatusDocument // nil: not running
	refused    error                   // of asking the service
	mute       bool                    // drivers cannot be asked
	tools      map[string]string
}

const (
	configFile = "/etc/standfast/standfast.conf"
	servicePID = 812
)

// config4 is the story of the crossover cable.
const config4 = `vrrp_instance VI_0 {
    state BACKUP
    interface p4p1
    virtual_router_id 50
    priority 100
    advert_int 1
    notify_master /etc/standfast/promote
    virtual_ipaddress {
        192.168.10.1/24 dev p3p1
        192.168.20.1/24 dev p3p2
        203.0.113.1/24 dev p1p1
    }
    virtual_routes {
        198.51.100.0/24 via 203.0.113.254 dev p1p1
    }
}
`

// healthy is a host about which there is nothing to say: a BACKUP that runs
// under systemd, with every port well.
func healthy() *sickbed {
	h := &sickbed{files: fstest.MapFS{}, identities: map[string]port.Identity{}, tools: map[string]string{}}
	h.set("proc/sys/kernel/hostname", "rtr-b")
	h.set("proc/sys/kernel/osrelease", "5.14.0-503.el9.x86_64")
	h.set("proc/sys/kernel/panic", "10")
	h.set("proc/sys/kernel/sched_rt_runtime_us", "950000")
	h.set("proc/sys/net/ipv4/ip_forward", "1")
	h.set("proc/sys/net/ipv4/ip_nonlocal_bind", "0")
	h.set("proc/net/tcp", "  sl  local_address rem_address   st\n   0: 00000000:0016 00000000:0000 0A\n")
	h.set("proc/net/udp", "  sl  local_address rem_address   st\n")
	h.set("proc/swaps", "Filename Type Size Used Priority\n/dev/dm-1 partition 4194300 0 -2\n")
	h.set("proc/self/mountinfo", "22 1 253:0 / / rw,relatime shared:1 - xfs /dev/mapper/rhel-root rw,attr2\n"+
		"25 22 0:23 / /run rw,nosuid shared:5 - tmpfs tmpfs rw,size=1024k\n")
	h.set("proc/1/comm", "systemd")
	h.set("etc/systemd/system.conf", "[Manager]\n#RuntimeWatchdogSec=off\nRuntimeWatchdogSec=20s\n")
	h.set("etc/systemd/system/standfast.service", "[Service]\nType=notify\n")
	h.set("etc/systemd/system/multi-user.target.wants/standfast.service", "")
	h.set("dev/watchdog", "")
	h.files["etc/standfast/promote"] = &fstest.MapFile{Data: []byte("#!/bin/sh\n"), Mode: 0o755}
	h.set(configFile[1:], config4)
	h.addDisk()
	h.addProcess()
	for i, name := range []string{"all", "p4p1", "p3p1", "p3p2", "p1p1", "p5p1"} {
		for key, value := range map[string]string{
			"rp_filter": "2", "arp_ignore": "1", "arp_announce": "2", "arp_filter": "0", "promote_secondaries": "1", "proxy_arp": "0",
			"accept_local": "0", "forwarding": "1",
		} {
			h.set(path.Join("proc/sys/net/ipv4/conf", name, key), value)
		}
		if name != "all" {
			h.addPort(i+1, name)
		}
	}
	h.tools["nft"] = `{"nftables": [{"metainfo": {"json_schema_version": 1}}]}`
	h.state("p4p1").Addresses = []netip.Prefix{netip.MustParsePrefix("10.255.0.2/30"), netip.MustParsePrefix("fe80::2/64")}
	h.status = h.standingBy()
	return h
}

func (h *sickbed) set(name, text string) {
	h.files[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
}

// append adds to a file.
func (h *sickbed) append(name, text string) { h.set(name, string(h.files[name].Data)+text) }

func (h *sickbed) addPort(index int, name string) {
	h.states = append(h.states, port.State{Index: index, Name: name, Present: true, AdminUp: true, Carrier: port.CarrierUp, MTU: 1500})
	dir := path.Join("sys/class/net", name)
	h.set(dir+"/ifindex", fmt.Sprint(index))
	h.set(dir+"/flags", "0x1003")
	h.set(dir+"/statistics/rx_crc_errors", "0")
	h.set(dir+"/queues/tx-0/tx_timeout", "0")
	h.set(dir+"/carrier_down_count", "1")
	card := fmt.Sprintf("0000:0%c:00", name[1])
	h.identities[name] = port.Identity{Driver: "igb", Bus: card + ".0", Card: card}
}

// addDisk puts the root on a volume on a partition of sda.
func (h *sickbed) addDisk() {
	for name, text := range map[string]string{
		"sys/devices/pci/sda/stat": "1000 0 8000 400 500 0 4000 1100 0 0 0 0 0 0 0 0 0", "sys/devices/pci/sda/inflight": "0 0",
		"sys/devices/pci/sda/dev": "8:0", "sys/devices/pci/sda/device/state": "running", "sys/devices/pci/sda/sda2/dev": "8:2",
		"sys/devices/pci/sda/sda2/partition": "2", "sys/devices/virtual/dm-0/dev": "253:0", "sys/devices/virtual/dm-0/slaves/sda2/x": "",
	} {
		h.set(name, text)
	}
	delete(h.files, "sys/devices/virtual/dm-0/slaves/sda2/x")
	for link, to := range map[string]string{
		"sys/dev/block/253:0": "../../devices/virtual/dm-0", "sys/dev/block/8:0": "../../devices/pci/sda", "sys/dev/block/8:2": "../../devices/pci/sda/sda2",
		"sys/class/block/sda": "../../devices/pci/sda", "sys/class/block/sda2": "../../devices/pci/sda/sda2", "sys/class/block/dm-0": "../../devices/virtual/dm-0",
		"sys/devices/virtual/dm-0/slaves/sda2": "../../../pci/sda/sda2", "sys/block/sda": "../devices/pci/sda", "sys/block/dm-0": "../devices/virtual/dm-0",
	} {
		h.link(link, to)
	}
}

func (h *sickbed) link(name, to string) {
	h.files[name] = &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink | 0o777}
}

// addProcess is the service, with two threads, locked and real time.
func (h *sickbed) addProcess() {
	dir := fmt.Sprintf("proc/%d", servicePID)
	h.set(dir+"/comm", "standfast")
	h.set(dir+"/status", "Name:\tstandfast\nVmLck:\t    6144 kB\nVmSwap:\t       0 kB\nCapEff:\t0000000000003000\n")
	h.set(dir+"/limits", "Limit                     Soft Limit           Hard Limit           Units     \n"+
		"Max locked memory         unlimited            unlimited            bytes     \n"+
		"Max realtime priority     50                   50                             \n")
	h.set(dir+"/environ", "NOTIFY_SOCKET=/run/systemd/notify\x00WATCHDOG_USEC=10000000\x00")
	h.set(dir+"/oom_score_adj", "-1000")
	h.set(dir+"/attr/current", "system_u:system_r:unconfined_service_t:s0\x00")
	for _, thread := range []string{"812", "813"} {
		h.schedule(thread, 2)
	}
	h.link("proc/self/ns/net", "net:[4026531840]")
	h.link(dir+"/ns/net", "net:[4026531840]")
}

// schedule gives a thread of the service a policy.
func (h *sickbed) schedule(thread string, policy int) {
	h.set(fmt.Sprintf("proc/%d/task/%s/stat", servicePID, thread), thread+" (stand fast) S "+strings.Repeat("0 ", 37)+fmt.Sprint(policy)+" 0 0 0\n")
}

// addProgram is another process.
func (h *sickbed) addProgram(pid int, comm, namespace string) {
	h.set(fmt.Sprintf("proc/%d/comm", pid), comm)
	h.link(fmt.Sprintf("proc/%d/ns/net", pid), namespace)
}

func (h *sickbed) state(name string) *port.State {
	return &h.states[slices.IndexFunc(h.states, func(s port.State) bool { return s.Name == name })]
}

func (h *sickbed) told(name string) *service.PortDocument {
	return &h.status.Ports[slices.IndexFunc(h.status.Ports, func(p service.PortDocument) bool { return p.Name == name })]
}

// standingBy is what a BACKUP says of itself.
func (h *sickbed) standingBy() *service.StatusDocument {
	d := &service.StatusDocument{
		Healthy: true,
		Node:    service.NodeDocument{Version: "0.1.0", PID: servicePID, Config: configFile, Lost: map[string]uint64{}},
		Instances: []service.InstanceDocument{{
			Name: "VI_0", State: "BACKUP", Interface: "p4p1", Master: "10.255.0.1", Verdict: service.VerdictDocument{Finding: "none"},
		}},
		Ports: []service.PortDocument{{Name: "p4p1", Roles: []string{"heartbeat"}, Carrier: "up"}},
	}
	for _, name := range []string{"p1p1", "p3p1", "p3p2"} {
		d.Ports = append(d.Ports, service.PortDocument{
			Name: name, Roles: []string{"serving"}, Carrier: "up", Calibrated: true, Witnesses: []string{"192.168.10.254"},
		})
	}
	return d
}

func (h *sickbed) host(o Options) *host {
	return &host{
		options: o, patience: 10 * time.Second, files: h.files,
		states:   func() ([]port.State, error) { return h.states, nil },
		identify: func(name string) port.Identity { return h.identities[name] },
		ask: func(context.Context) (service.StatusDocument, error) {
			switch {
			case h.refused != nil:
				return service.StatusDocument{}, h.refused
			case h.status == nil:
				return service.StatusDocument{}, service.ErrNotRunning
			}
			return *h.status, nil
		},
		tool: func(name string, _ ...string) (string, error) {
			text, there := h.tools[name]
			if !there {
				return "", fs.ErrNotExist
			}
			return text, nil
		},
		drivers: func() bool { return !h.mute },
		now:     func() time.Time { return time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC) },
	}
}

// complaints are the findings that are not ok, as "severity check".
func (h *sickbed) complaints(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, f := range h.host(Options{RuntimeDir: "/run/standfast"}).examine(t.Context()).Findings {
		if f.Severity != SeverityOK {
			all = append(all, f.Severity.String()+" "+f.Check)
		}
	}
	return all
}

// seed is one thing that is wrong with a host.
type seed struct {
	name   string
	sow    func(h *sickbed)
	want   string // severity and check of the one finding
	remedy string // part of it
}

// seeds are those that can be sown together.
func seeds() []seed {
	set := func(name, text string) func(*sickbed) { return func(h *sickbed) { h.set(name, text) } }
	conf := "proc/sys/net/ipv4/conf/"
	return []seed{
		{"strict reverse path", func(h *sickbed) {
			h.set(conf+"all/rp_filter", "1")
			h.set(conf+"p3p1/rp_filter", "1")
		}, "note rp_filter", "sysctl -w net.ipv4.conf.p3p1.rp_filter=2 | tee -a /etc/sysctl.d/90-standfast.conf"},
		{"arp_ignore 8", set(conf+"all/arp_ignore", "8"), "hazard arp_ignore", "sysctl -w net.ipv4.conf.all.arp_ignore=1"},
		{"arp_filter", set(conf+"p1p1/arp_filter", "1"), "hazard arp_filter", "sysctl -w net.ipv4.conf.p1p1.arp_filter=0"},
		{"proxy_arp", set(conf+"p3p2/proxy_arp", "1"), "hazard proxy_arp", "sysctl -w net.ipv4.conf.p3p2.proxy_arp=0"},
		{"no forwarding", func(h *sickbed) {
			h.set("proc/sys/net/ipv4/ip_forward", "0")
			for _, name := range []string{"p3p1", "p3p2", "p1p1"} {
				h.set(conf+name+"/forwarding", "0")
			}
		}, "hazard forwarding", "sysctl -w net.ipv4.ip_forward=1"},
		{"one card for everything", func(h *sickbed) {
			h.identities["p4p1"] = port.Identity{Driver: "igb", Bus: "0000:03:00.3", Card: "0000:03:00"}
		}, "hazard card", "interface p5p1    # of VI_0"},
		{"firewall", func(h *sickbed) {
			h.tools["iptables-save"] = "*filter\n:INPUT DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n"
		}, "hazard firewall", "iptables -t filter -I INPUT -i p4p1 -p 112 -j ACCEPT"},
		{"NetworkManager", func(h *sickbed) {
			h.addProgram(900, "NetworkManager", "net:[4026531840]")
			h.set("run/NetworkManager/devices/1", "[device]\nmanaged=false\n")
			h.set("etc/NetworkManager/conf.d/10-own.conf", "[keyfile]\nunmanaged-devices=interface-name:p4*;interface-name:p1p1\n"+
				"[device-x]\nmatch-device=interface-name:p3p2\nignore-carrier=yes\n")
		}, "hazard networkmanager", "interface-name:p3p1\\n"},
		{"keepalived too", func(h *sickbed) {
			h.addProgram(901, "keepalived", "net:[4026531840]")
			h.set("etc/keepalived/keepalived.conf", "vrrp_instance VI_0 {\n}\n")
		}, "hazard rival", "systemctl disable --now keepalived"},
		{"memory not locked", func(h *sickbed) {
			h.set("proc/812/status", "VmLck:\t       0 kB\nVmSwap:\t     512 kB\nCapEff:\t0000000000003000\n")
			h.set("proc/812/limits", "Max locked memory         65536                65536                bytes     \nMax realtime priority     50 50\n")
		}, "hazard memlock", "LimitMEMLOCK=infinity"},
		{"half real time", func(h *sickbed) { h.schedule("813", 0) }, "hazard realtime", "systemctl restart standfast"},
		{"no WatchdogSec", set("proc/812/environ", "NOTIFY_SOCKET=/run/systemd/notify\x00"), "hazard supervisor", "WatchdogSec=10"},
		{"hardware watchdog asleep", set("etc/systemd/system.conf", "[Manager]\n"), "note watchdog", "RuntimeWatchdogSec=20s"},
		{"panic waits", set("proc/sys/kernel/panic", "0"), "note panic", "sysctl -w kernel.panic=10"},
		{"configuration on NFS", func(h *sickbed) {
			h.append("proc/self/mountinfo", "40 22 0:50 / /etc/standfast rw shared:9 - nfs4 filer:/etc rw\n")
		}, "hazard netfs", "cp /etc/standfast/standfast.conf /etc/standfast/promote FOLDER"},
		{"script may not run", func(h *sickbed) { h.files["etc/standfast/promote"].Mode = 0o644 }, "hazard script", "chmod 755 /etc/standfast/promote"},
		{"disk offline", set("sys/devices/pci/sda/device/state", "offline"), "hazard volume", "dmesg"},
		{"blind port", func(h *sickbed) { h.told("p3p2").Blind = true }, "hazard blind", "arping -D -c 3 -I p3p2 192.168.20.1"},
		{"no witness", func(h *sickbed) { h.told("p1p1").Witnesses = nil }, "hazard witness", "fault_witness ADDRESS dev p1p1"},
		{"no multicast", set("sys/class/net/p4p1/flags", "0x3"), "hazard multicast", "ip link set p4p1 multicast on"},
		{"kept for keepalived", func(h *sickbed) {
			h.set("sys/fs/selinux/enforce", "1")
			h.set("proc/812/attr/current", "system_u:system_r:keepalived_t:s0\x00")
		}, "hazard selinux", "restorecon"},
		{"service on a virtual address", func(h *sickbed) {
			h.append("proc/net/udp", "   1: 010AA8C0:0035 00000000:0000 07\n")
		}, "note nonlocal_bind", "net.ipv4.ip_nonlocal_bind=1"},
	}
}

// TestSeeds sows each misconfiguration alone: it is found, with its cure,
// and nothing else is.
func TestSeeds(t *testing.T) {
	for _, s := range slices.Concat(seeds(), moreSeeds()) {
		t.Run(s.name, func(t *testing.T) {
			h := healthy()
			s.sow(h)
			d := h.host(Options{RuntimeDir: "/run/standfast"}).examine(t.Context())
			var found []Finding
			for _, f := range d.Findings {
				if f.Severity != SeverityOK {
					found = append(found, f)
				}
			}
			if len(found) != 1 || found[0].Severity.String()+" "+found[0].Check != s.want || !strings.Contains(found[0].Remedy, s.remedy) {
				t.Fatalf("want %q with %q, found %+v", s.want, s.remedy, found)
			}
			if found[0].Text == "" || found[0].Why == "" || found[0].Remedy == "" || found[0].Subject == "" {
				t.Errorf("something is missing: %+v", found[0])
			}
			if d.Worst != found[0].Severity {
				t.Errorf("worst %v", d.Worst)
			}
		})
	}
}

// TestKeepalivedIsNotPutOutOfWork: on a router that is yet to be moved no line to paste takes the addresses away from the
// keepalived that serves, or has the next boot start a standfast that nobody has configured.
func TestKeepalivedIsNotPutOutOfWork(t *testing.T) {
	const wants = "etc/systemd/system/multi-user.target.wants/"
	serving := func(h *sickbed) {
		h.status = nil
		h.addProgram(901, "keepalived", "net:[4026531840]")
		h.set("etc/keepalived/keepalived.conf", "vrrp_instance VI_0 {\n}\n")
		h.set(wants+"keepalived.service", "")
		delete(h.files, wants+"standfast.service")
		h.state("p3p1").Addresses = append(h.state("p3p1").Addresses, netip.MustParsePrefix("192.168.10.1/24"))
	}
	for _, test := range []struct {
		name string
		sow  func(h *sickbed)
		want []string
	}{
		{"it serves", serving, []string{"hazard rival", "note running"}},
		{"it starts at the next boot", func(h *sickbed) {
			serving(h)
			delete(h.files, "proc/901/comm")
			h.state("p3p1").Addresses = nil
		}, []string{"hazard rival", "note running"}},
		{"nobody runs, and an address is left", func(h *sickbed) {
			serving(h)
			delete(h.files, "proc/901/comm")
			delete(h.files, wants+"keepalived.service")
			h.set(wants+"standfast.service", "")
		}, []string{"hazard address", "note running"}},
		{"the service may not be asked", func(h *sickbed) {
			h.refused = fs.ErrPermission
			h.state("p3p1").Addresses = append(h.state("p3p1").Addresses, netip.MustParsePrefix("192.168.10.1/24"))
		}, []string{"note running"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := healthy()
			test.sow(h)
			if diff := cmp.Diff(test.want, h.complaints(t)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			for _, f := range h.host(Options{RuntimeDir: "/run/standfast"}).examine(t.Context()).Findings {
				for _, line := range []string{"systemctl enable", "systemctl start", "systemctl disable", "ip address del"} {
					if strings.Contains(f.Remedy, line) && test.want[0] == "hazard rival" {
						t.Errorf("%s: %s", f.Check, f.Remedy)
					}
				}
			}
		})
	}
}

// TestPages prints a healthy host and one with everything sown at once.
func TestPages(t *testing.T) {
	for _, test := range []struct {
		name string
		sow  []seed
	}{{"healthy", nil}, {"seeded", seeds()}} {
		h := healthy()
		var want []string
		for _, s := range test.sow {
			s.sow(h)
			want = append(want, s.want)
		}
		got := h.complaints(t)
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: findings (-want +got):\n%s", test.name, diff)
		}
		var page bytes.Buffer
		if err := h.host(Options{RuntimeDir: "/run/standfast"}).examine(t.Context()).print(&page); err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("testdata", test.name+".txt"), page.Bytes())
	}
}

// golden compares with a file, or writes it.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got), rewrite with -update:\n%s", file, diff)
	}
}

// moreSeeds are those that exclude one another, or those of seeds.
func moreSeeds() []seed {
	set := func(name, text string) func(*sickbed) { return func(h *sickbed) { h.set(name, text) } }
	config := func(old, text string) func(*sickbed) {
		return func(h *sickbed) { h.set(configFile[1:], strings.Replace(config4, old, text, 1)) }
	}
	ipv6 := func(also func(h *sickbed)) func(*sickbed) {
		return func(h *sickbed) {
			h.set(configFile[1:], config6)
			h.status.Instances[0].Interface = "p4p1"
			also(h)
		}
	}
	return []seed{
		{"no configuration", func(h *sickbed) { delete(h.files, configFile[1:]) }, "error configuration", "check the path"},
		{"not running", func(h *sickbed) { h.status = nil }, "note running", "systemctl start standfast"},
		{"may not ask", func(h *sickbed) { h.refused = fs.ErrPermission }, "note running", "sudo"},
		{"does not answer", func(h *sickbed) { h.refused = errors.New("no answer") }, "hazard running", "standfast status"},
		{"in FAULT", func(h *sickbed) {
			h.status.Instances[0].State = "FAULT"
			h.status.Instances[0].Faults = []service.FaultDocument{{Text: "p3p1: no carrier"}}
		}, "hazard state", "standfast why VI_0"},
		{"contested", func(h *sickbed) { h.status.Instances[0].Verdict.Finding = "contested" }, "hazard state", "standfast why VI_0"},
		{"a restart is pending", func(h *sickbed) {
			h.status.Restart = &service.RestartDocument{Pending: true, Running: "1", Installed: "2"}
		}, "note restart", "systemctl restart standfast"},
		{"adverts unsent", func(h *sickbed) { h.status.Node.Lost["adverts_not_sent"] = 7 }, "hazard unsent", "journalctl"},
		{"adverts filtered", func(h *sickbed) { h.told("p4p1").Filtered = true }, "hazard filtered", "iptables -I INPUT -i p4p1 -p 112 -j ACCEPT"},
		{"adverts filtered by their path", func(h *sickbed) {
			h.told("p4p1").Filtered = true
			h.set("proc/sys/net/ipv4/conf/p4p1/rp_filter", "1")
			h.set("proc/sys/net/ipv4/conf/all/rp_filter", "0")
			h.status.Instances[0].Master = "172.16.0.1"
		}, "hazard filtered", "sysctl -w net.ipv4.conf.p4p1.rp_filter=2"},
		{"mute port", func(h *sickbed) { h.told("p3p1").Mute = true }, "hazard mute", "portfast"},
		{"uncalibrated", func(h *sickbed) {
			for _, name := range []string{"p1p1", "p3p1", "p3p2"} {
				h.told(name).Calibrated = false
			}
		}, "note calibration", "status"},
		{"missing port", func(h *sickbed) { h.state("p3p2").Present = false }, "hazard link", "not configured are p5p1"},
		{"port off", func(h *sickbed) { h.state("p4p1").AdminUp = false }, "hazard link", "ip link set p4p1 up"},
		{"no carrier", func(h *sickbed) { h.state("p1p1").Carrier = port.CarrierDown }, "hazard link", "ethtool p1p1"},
		{"no carrier, and why", func(h *sickbed) {
			h.state("p1p1").Carrier = port.CarrierDown
			h.told("p1p1").Carrier, h.told("p1p1").Culprit = "down", "p1p1: cage empty"
		}, "hazard link", "ethtool p1p1"},
		{"dead behind a carrier", func(h *sickbed) { h.told("p1p1").Culprit = "card 0000:01:00 gone with p1p1" }, "hazard link", "dmesg"},
		{"storage lost", func(h *sickbed) {
			h.status.Node.Storage = service.StorageDocument{State: "failed", Culprit: "sda: a write waits for 12 s", Volumes: []service.VolumeDocument{{Mount: "/", State: "failed"}}}
		}, "hazard volume", "standfast status"},
		{"storage not looked at", func(h *sickbed) {
			h.status.Node.Storage = service.StorageDocument{State: "unwatched", Culprit: "storage_watch is off"}
		}, "note unwatched", "storage_watch auto"},
		{"storage not tried", func(h *sickbed) {
			h.status.Node.Storage = service.StorageDocument{State: "healthy", Volumes: []service.VolumeDocument{{Mount: "/", State: "healthy", Trouble: "its file cannot be made"}}}
		}, "note untried", "standfast status"},
		{"helper gone", func(h *sickbed) { h.status.Node.Helpers = []service.HelperDocument{{Name: "disk", State: "gone"}} }, "hazard helper", "journalctl"},
		{"no source", func(h *sickbed) { h.state("p4p1").Addresses = nil }, "hazard source", "ip address add"},
		{"small MTU", func(h *sickbed) { h.state("p4p1").MTU = 40 }, "hazard mtu", "ip link set p4p1 mtu 1500"},
		{"bad cable", set("sys/class/net/p3p1/statistics/rx_crc_errors", "17"), "note cable", "ethtool -S p3p1"},
		{"hung queue", set("sys/class/net/p3p1/queues/tx-0/tx_timeout", "2"), "note hang", "dmesg"},
		{"part of a bridge", func(h *sickbed) {
			h.addPort(9, "br0")
			delete(h.identities, "br0")
			h.set("sys/class/net/br0/bridge/stp_state", "0")
			h.state("p3p1").Master = 9
		}, "hazard enslaved", "interface br0"},
		{"spanning tree", func(h *sickbed) {
			h.set("sys/class/net/p3p1/bridge/stp_state", "1")
			h.set("sys/class/net/p3p1/bridge/forward_delay", "1500")
		}, "hazard bridge", "stp_state 0"},
		{"unwatched bond", func(h *sickbed) { h.bond("0", "up") }, "hazard bond", "miimon 100"},
		{"half a bond", func(h *sickbed) { h.bond("100", "down") }, "hazard bond", "ethtool ens2"},
		{"bond on one card", func(h *sickbed) {
			h.bond("100", "up")
			h.identities["ens2"] = h.identities["ens1"]
		}, "note bond", "ip link set PORT master p3p1"},
		{"two ports in one subnet", func(h *sickbed) {
			for _, name := range []string{"all", "p1p1", "p3p1", "p3p2"} {
				h.set("proc/sys/net/ipv4/conf/"+name+"/arp_ignore", "0")
			}
			h.state("p3p2").Addresses = []netip.Prefix{netip.MustParsePrefix("192.168.10.9/24")}
		}, "hazard arp_flux", "net.ipv4.conf.p3p1.arp_ignore=1"},
		{"arp_ignore 2 without a subnet", func(h *sickbed) {
			config("192.168.10.1/24", "192.168.10.1/32")(h)
			h.set("proc/sys/net/ipv4/conf/p3p1/arp_ignore", "2")
		}, "hazard arp_ignore", "net.ipv4.conf.p3p1.arp_ignore=1"},
		{"several tables and a strict reverse path", func(h *sickbed) {
			config("203.0.113.254 dev p1p1", "203.0.113.254 dev p1p1 table 50")(h)
			h.set("proc/sys/net/ipv4/conf/p1p1/rp_filter", "1")
			h.set("proc/sys/net/ipv4/conf/all/rp_filter", "1")
		}, "hazard rp_filter", "net.ipv4.conf.p1p1.rp_filter=2"},
		{"arp_announce", func(h *sickbed) {
			h.set("proc/sys/net/ipv4/conf/all/arp_announce", "0")
			h.set("proc/sys/net/ipv4/conf/p1p1/arp_announce", "0")
		}, "note arp_announce", "net.ipv4.conf.p1p1.arp_announce=2"},
		{"secondaries go too", func(h *sickbed) {
			h.set("proc/sys/net/ipv4/conf/all/promote_secondaries", "0")
			h.set("proc/sys/net/ipv4/conf/p3p1/promote_secondaries", "0")
			h.state("p3p1").Addresses = []netip.Prefix{netip.MustParsePrefix("192.168.10.2/24")}
		}, "hazard promote_secondaries", "net.ipv4.conf.p3p1.promote_secondaries=1"},
		{"forwarding on all but one", set("proc/sys/net/ipv4/conf/p3p1/forwarding", "0"), "hazard forwarding", "net.ipv4.conf.p3p1.forwarding=1"},
		{"address that stays", func(h *sickbed) {
			h.state("p3p1").Addresses = []netip.Prefix{netip.MustParsePrefix("192.168.10.1/24")}
		}, "hazard address", "ip address del 192.168.10.1/24 dev p3p1"},
		{"gateway out of reach", config("via 203.0.113.254", "via 203.0.114.254"), "hazard route", "ip route get 203.0.114.254"},
		{"no script", func(h *sickbed) { delete(h.files, "etc/standfast/promote") }, "hazard script", "install -m 755"},
		{"networkd takes addresses", func(h *sickbed) {
			h.networkd("p3p1", "[Network]\nDHCP=no\n")
			h.set("etc/systemd/networkd.conf", "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n")
		}, "hazard networkd", "KeepConfiguration=static"},
		{"networkd takes routes", func(h *sickbed) {
			h.networkd("p4p1", "[Network]\nKeepConfiguration=yes\nIgnoreCarrierLoss=yes\n")
			h.set("usr/lib/systemd/networkd.conf.d/x.conf", "[Network]\nManageForeignRoutes=no\n")
		}, "hazard networkd-routes", "ManageForeignRoutingPolicyRules=no"},
		{"keepalived at the next boot", func(h *sickbed) {
			h.set("etc/systemd/system/multi-user.target.wants/keepalived.service", "")
			h.set("etc/keepalived/conf.d/x.conf", "vrrp_instance VI_0 {\n}\n")
		}, "hazard rival", "systemctl disable --now keepalived"},
		{"not at boot", func(h *sickbed) {
			delete(h.files, "etc/systemd/system/multi-user.target.wants/standfast.service")
			h.set("etc/systemd/system/multi-user.target.wants/sshd.service", "")
		}, "hazard boot", "systemctl enable standfast"},
		{"swapped out", set("proc/812/status", "VmLck:\t 100 kB\nVmSwap:\t 12 kB\nCapEff:\t0\n"), "hazard memlock", "LimitMEMLOCK"},
		{"only text locked", func(h *sickbed) { h.status.Node.Body.Locked = "text" }, "hazard memlock", "LimitMEMLOCK"},
		{"late adverts", func(h *sickbed) {
			h.status.Node.Lateness = service.LatenessDocument{Adverts: 5000, P999: 400, Max: 900}
		}, "hazard late", "standfast status"},
		{"watchdog about to bite", func(h *sickbed) { h.status.Node.Body.Watchdog = "not fed" }, "hazard watchdog", "journalctl"},
		{"no real time", func(h *sickbed) { h.schedule("812", 0); h.schedule("813", 0) }, "note realtime", "LimitRTPRIO=99"},
		{"no real time for fast adverts", func(h *sickbed) {
			h.schedule("812", 0)
			h.schedule("813", 0)
			config("advert_int 1", "version 3\n    advert_int 0.1")(h)
		}, "hazard realtime", "LimitRTPRIO=99"},
		{"no time for real time", set("proc/sys/kernel/sched_rt_runtime_us", "0"), "hazard realtime", "sched_rt_runtime_us=950000"},
		{"killed when memory runs out", set("proc/812/oom_score_adj", "0"), "note oom", "OOMScoreAdjust=-1000"},
		{"started by hand", func(h *sickbed) {
			h.set("proc/812/environ", "TERM=xterm\x00")
			h.set("proc/812/oom_score_adj", "0")
		}, "note supervisor", "systemctl enable --now standfast"},
		{"no watchdog", func(h *sickbed) { delete(h.files, "dev/watchdog") }, "note watchdog", "modprobe"},
		{"watchdog that is not there", config("vrrp_instance", "global_defs {\n    watchdog_device /dev/watchdog7\n}\nvrrp_instance"), "hazard watchdog", "ls -l"},
		{"watchdog with two owners", func(h *sickbed) {
			h.set("dev/watchdog0", "")
			config("vrrp_instance", "global_defs {\n    watchdog_device /dev/watchdog0\n}\nvrrp_instance")(h)
		}, "hazard watchdog", "watchdog_device /dev/watchdog1"},
		{"VLANs of one port", func(h *sickbed) {
			delete(h.identities, "p4p1")
			delete(h.identities, "p3p1")
			h.link("sys/class/net/p4p1/lower_eno1", "../eno1")
			h.link("sys/class/net/p3p1/lower_eno1", "../eno1")
		}, "hazard card", "interface p5p1"},
		{"old kernel", set("proc/sys/kernel/osrelease", "3.10.0-1160.el7.x86_64"), "note kernel", "uname"},
		{"older kernel", set("proc/sys/kernel/osrelease", "2.6.32-754.el6.x86_64"), "hazard kernel", "uname"},
		{"mute drivers", func(h *sickbed) {
			h.set("proc/sys/kernel/osrelease", "4.18.0-553.el8.x86_64")
			h.mute = true
		}, "note kernel", "uname"},
		{"losses not counted", func(h *sickbed) {
			h.set("proc/sys/kernel/osrelease", "4.14.0")
			for _, s := range h.states {
				delete(h.files, "sys/class/net/"+s.Name+"/carrier_down_count")
			}
		}, "note kernel", "uname"},
		{"another password", func(h *sickbed) { h.status.Instances[0].Dropped = map[string]uint64{"password": 7} }, "hazard dropped", "standfast check"},
		{"a stranger's adverts", func(h *sickbed) {
			h.status.Instances[0].Dropped, h.status.Instances[0].Received = map[string]uint64{"password": 7}, 90
		}, "note dropped", "standfast check"},
		{"another virtual router", func(h *sickbed) { h.status.Node.Lost["adverts_not_ours"] = 30 }, "hazard vrid", "virtual_router_id"},
		{"a switch between", func(h *sickbed) { h.told("p4p1").Witnesses = []string{"10.255.0.3"} }, "note switch", "portfast"},
		{"half a service", func(h *sickbed) {
			h.status.Instances[0].State, h.status.Instances[0].Installed, h.status.Instances[0].Partial = "MASTER", true, true
		}, "hazard state", "standfast why"},
		{"not installed", func(h *sickbed) { h.status.Instances[0].State = "MASTER" }, "hazard state", "standfast why"},
		{"root read-only after errors", func(h *sickbed) {
			h.set("proc/self/mountinfo", "22 1 253:0 / / rw,relatime shared:1 - ext4 /dev/mapper/rhel-root rw,emergency_ro\n"+
				"25 22 0:23 / /run rw shared:5 - tmpfs tmpfs rw\n")
		}, "hazard volume", "dmesg"},
		{"runtime directory on a disk", func(h *sickbed) {
			h.set("proc/self/mountinfo", "22 1 253:0 / / rw,relatime shared:1 - xfs /dev/mapper/rhel-root rw\n")
		}, "note runtime", "tmpfs"},
		{"firewall that nobody shows", func(h *sickbed) {
			delete(h.tools, "nft")
			h.set("proc/net/ip_tables_names", "filter\n")
		}, "note firewall", "install nftables"},
		{"firewall that is not understood", func(h *sickbed) { h.tools["nft"] = "Error: netlink: Operation not permitted" }, "note firewall", "sudo standfast doctor"},
		{"nothing leaves", func(h *sickbed) {
			h.tools["nft"] = `{"nftables": [{"chain": {"family": "inet", "table": "own", "name": "out", "type": "filter", "hook": "output", "prio": 0, "policy": "drop"}}]}`
		}, "hazard firewall", "nft insert rule inet own out oifname p4p1 meta l4proto 112 accept"},
		{"firewalld", func(h *sickbed) {
			h.tools["nft"] = `{"nftables": [{"chain": {"family": "inet", "table": "firewalld", "name": "filter_INPUT", "type": "filter", "hook": "input", "prio": 10, "policy": "drop"}}]}`
		}, "hazard firewall", "--add-protocol=vrrp"},
		{"no IPv6", ipv6(func(h *sickbed) { h.set("proc/sys/net/ipv6/conf/p3p1/disable_ipv6", "1") }), "hazard disable_ipv6", "net.ipv6.conf.p3p1.disable_ipv6=0"},
		{"fatal duplicate", ipv6(func(h *sickbed) { h.set("proc/sys/net/ipv6/conf/p4p1/accept_dad", "2") }), "hazard accept_dad", "net.ipv6.conf.p4p1.accept_dad=1"},
		{"obeys routers", ipv6(func(h *sickbed) { h.set("proc/sys/net/ipv6/conf/p3p1/accept_ra", "2") }), "hazard accept_ra", "net.ipv6.conf.p3p1.accept_ra=0"},
		{"host of IPv6", ipv6(func(h *sickbed) {
			h.set("proc/sys/net/ipv6/conf/p3p1/accept_ra", "1")
			h.set("proc/sys/net/ipv6/conf/p3p1/forwarding", "1")
			h.set("proc/sys/net/ipv6/conf/p4p1/accept_ra", "1")
		}), "hazard accept_ra", "net.ipv6.conf.p4p1.accept_ra=0"},
		{"no source of IPv6", ipv6(func(h *sickbed) { h.state("p4p1").Addresses = h.state("p4p1").Addresses[:1] }), "hazard source", "disable_ipv6=0"},
		{"questions dropped", ipv6(func(h *sickbed) {
			h.tools["ip6tables-save"] = "*filter\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j DROP\nCOMMIT\n"
		}), "hazard firewall", "ip6tables -t filter -I INPUT -i p3p1 -p 58 -j ACCEPT"},
	}
}

const config6 = `vrrp_instance VI_0 {
    interface p4p1
    virtual_router_id 50
    version 3
    priority 100
    virtual_ipaddress {
        fe80::1/64 dev p3p1
        2001:db8::1/64 dev p3p1
    }
}
`

// bond makes p3p1 one of two ports.
func (h *sickbed) bond(miimon, second string) {
	dir := "sys/class/net/p3p1/"
	h.set(dir+"bonding/slaves", "ens1 ens2\n")
	h.set(dir+"bonding/miimon", miimon)
	h.set(dir+"bonding/arp_interval", "0")
	delete(h.identities, "p3p1")
	for i, name := range []string{"ens1", "ens2"} {
		h.link(dir+"lower_"+name, "../"+name)
		h.set("sys/class/net/"+name+"/bonding_slave/mii_status", []string{"up", second}[i])
		card := fmt.Sprintf("0000:0%d:00", i+7)
		h.identities[name] = port.Identity{Driver: "igb", Bus: card + ".0", Card: card}
	}
}

// networkd manages a port with a file.
func (h *sickbed) networkd(name, file string) {
	h.addProgram(902, "systemd-network", "net:[4026531840]")
	h.set(fmt.Sprintf("run/systemd/netif/links/%d", h.state(name).Index), "ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/10-x.network\n")
	h.set("etc/systemd/network/10-x.network", file)
}

// deliver puts a file there that the package has.
func (h *sickbed) deliver(name string) { h.set(name, packaged(name)) }

// packaged reads a file of the package; one that is not there changes nothing on the host, and the test sees it.
func packaged(name string) string {
	text, _ := os.ReadFile("../../packaging/root/" + name)
	return string(text)
}

// TestNetworkManagerReadsPackagesFirst: what the administrator wrote into its own file counts more.
func TestNetworkManagerReadsPackagesFirst(t *testing.T) {
	h := healthy()
	h.addProgram(900, "NetworkManager", "net:[4026531840]")
	h.deliver("usr/lib/NetworkManager/conf.d/30-standfast.conf")
	h.set("etc/NetworkManager/NetworkManager.conf", "[main]\nignore-carrier=interface-name:p4p1,interface-name:p3*\n")
	if diff := cmp.Diff([]string{"hazard networkmanager"}, h.complaints(t)); diff != "" {
		t.Error(diff)
	}
}

// TestLets names what looks suspicious and is not.
func TestLets(t *testing.T) {
	for name, sow := range map[string]func(h *sickbed){
		"keepalived in a container": func(h *sickbed) {
			h.addProgram(901, "keepalived", "net:[4026532999]")
			h.set("etc/keepalived/keepalived.conf", "vrrp_instance VI_0 {\n}\n")
		},
		"keepalived that balances": func(h *sickbed) {
			h.addProgram(901, "keepalived", "net:[4026531840]")
			h.set("etc/keepalived/keepalived.conf", "virtual_server 192.0.2.1 80 {\n}\n")
		},
		"NetworkManager without our ports": func(h *sickbed) {
			h.addProgram(900, "NetworkManager", "net:[4026531840]")
			h.set("etc/NetworkManager/NetworkManager.conf", "[device]\nmatch-device=*\nmanaged=0\n")
		},
		"NetworkManager that ignores carriers": func(h *sickbed) {
			h.addProgram(900, "NetworkManager", "net:[4026531840]")
			h.set("etc/NetworkManager/NetworkManager.conf", "[main]\nignore-carrier=*\n")
		},
		"NetworkManager as the package has it": func(h *sickbed) {
			h.addProgram(900, "NetworkManager", "net:[4026531840]")
			h.deliver("usr/lib/NetworkManager/conf.d/30-standfast.conf")
			h.set("etc/NetworkManager/NetworkManager.conf", "[main]\nplugins=keyfile\n")
		},
		"ifcfg without NetworkManager": func(h *sickbed) {
			h.addProgram(900, "NetworkManager", "net:[4026531840]")
			for _, s := range h.states {
				h.set("etc/sysconfig/network-scripts/ifcfg-"+s.Name, "DEVICE="+s.Name+"\nNM_CONTROLLED=\"no\"\n")
			}
		},
		"networkd with a drop-in": func(h *sickbed) {
			h.networkd("p3p1", "[Network]\nDHCP=no\n")
			h.set("etc/systemd/network/10-x.network.d/keep.conf", "[Network]\nKeepConfiguration=static\n")
			h.set("etc/systemd/networkd.conf", "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n")
		},
		"networkd as the package has it, and its example": func(h *sickbed) {
			h.networkd("p4p1", "[Network]\nDHCP=no\n")
			h.deliver("usr/lib/systemd/networkd.conf.d/30-standfast.conf")
			h.set("etc/systemd/network/10-x.network.d/standfast.conf", packaged("usr/share/doc/standfast/examples/networkd-port.conf"))
		},
		"addresses of a MASTER": func(h *sickbed) {
			h.status.Instances[0].State, h.status.Instances[0].Installed = "MASTER", true
			h.state("p3p1").Addresses = []netip.Prefix{netip.MustParsePrefix("192.168.10.1/24")}
		},
		"SELinux": func(h *sickbed) { h.set("sys/fs/selinux/enforce", "1") },
		"another port of the same name in /sys": func(h *sickbed) {
			h.set("sys/class/net/p4p1/ifindex", "99")
			h.set("sys/class/net/p4p1/flags", "0x3")
		},
		"a kernel of a distribution": func(h *sickbed) { h.set("proc/sys/kernel/osrelease", "4.18.0-553.el8.x86_64") },
		"IPv6": func(h *sickbed) {
			h.set(configFile[1:], config6)
			h.tools["ip6tables-save"] = "*filter\n:INPUT DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -d ff02::12/128 -i p4+ -p vrrp -j ACCEPT\n" +
				"-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type neighbour-solicitation -m comment --comment \"ask us\" -j ACCEPT\nCOMMIT\n"
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := healthy()
			sow(h)
			if got := h.complaints(t); len(got) > 0 {
				t.Errorf("found %q", got)
			}
		})
	}
}

// deadDisk never answers for some files.
type deadDisk struct {
	fstest.MapFS
	dead  string
	until <-chan struct{}
}

func (d deadDisk) Open(name string) (fs.File, error) {
	if strings.HasPrefix(name, d.dead) {
		<-d.until
		return nil, fs.ErrInvalid
	}
	return d.MapFS.Open(name)
}

func (d deadDisk) ReadFile(name string) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	_ = f.Close()
	return d.MapFS.ReadFile(name)
}

// TestBounded: what hangs is named, and everything else is there.
func TestBounded(t *testing.T) {
	for dead, want := range map[string][]string{
		"etc/standfast":       {"hazard configuration"},
		"proc/swaps":          nil, // asked only if memory is not locked
		"sys/fs":              {"hazard selinux"},
		"proc/sys/net/ipv4/":  {"hazard hardware", "hazard sysctls"},
		"proc/self/mountinfo": {"hazard storage"},
	} {
		t.Run(strings.ReplaceAll(dead, "/", "-"), func(t *testing.T) {
			h := healthy()
			until := make(chan struct{})
			defer close(until)
			d := h.host(Options{RuntimeDir: "/run/standfast"})
			d.files = deadDisk{h.files, dead, until}
			if want != nil { // else a busy machine is given its time
				d.patience = 50 * time.Millisecond
			}
			begun := time.Now()
			document := d.examine(t.Context())
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			var unanswered []string
			for _, f := range document.Findings {
				if strings.HasPrefix(f.Text, "not answered within 50ms: ") {
					unanswered = append(unanswered, f.Severity.String()+" "+f.Check)
				}
			}
			for _, w := range want {
				if !slices.Contains(unanswered, w) {
					t.Errorf("%s is not said to have hung: %q", w, unanswered)
				}
			}
			if want == nil && len(unanswered) > 0 {
				t.Errorf("hung: %q", unanswered)
			}
		})
	}
}

// TestBroken: a configuration that is broken anywhere is complained about,
// and everything else is looked at all the same.
func TestBroken(t *testing.T) {
	for at := range len(config4) {
		h := healthy()
		h.set(configFile[1:], config4[:at])
		d := h.host(Options{}).examine(t.Context())
		if len(d.Findings) < 20 {
			t.Errorf("%q: only %d findings", config4[:at], len(d.Findings))
		}
		if _, complaints := configfs.Load(h.files, configFile); complaints.Err() != nil && d.Worst != SeverityError {
			t.Errorf("%q: worst %v", config4[:at], d.Worst)
		}
		if err := d.print(new(bytes.Buffer)); err != nil {
			t.Error(err)
		}
	}
}

// TestManyInstances: a page is a page, also of a router with hundreds of
// instances that share a mistake.
func TestManyInstances(t *testing.T) {
	h := healthy()
	var b strings.Builder
	h.status.Instances = nil
	for i := range 200 {
		fmt.Fprintf(&b, "vrrp_instance VI_%d {\n interface p4p1\n virtual_router_id %d\n virtual_ipaddress {\n  10.0.%d.1/24 dev p3p1\n }\n"+
			" virtual_routes {\n  10.1.%d.0/24 via 10.2.0.1 dev p3p1\n }\n}\n", i, i+1, i, i)
		h.status.Instances = append(h.status.Instances, service.InstanceDocument{Name: fmt.Sprintf("VI_%d", i), State: "FAULT"})
		h.state("p3p1").Addresses = append(h.state("p3p1").Addresses, netip.MustParsePrefix(fmt.Sprintf("10.0.%d.1/24", i)))
	}
	h.set(configFile[1:], b.String())
	h.state("p4p1").Addresses = nil
	d := h.host(Options{}).examine(t.Context())
	if len(d.Findings) < 400 {
		t.Errorf("%d findings in the document", len(d.Findings))
	}
	var page bytes.Buffer
	if err := d.print(&page); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(page.String(), "\n"); lines > 120 {
		t.Errorf("the page has %d lines:\n%s", lines, page.String())
	}
	for _, want := range []string{`and 196 more of the kind "route"`, `and 196 more of the kind "state"`, "of VI_0 VI_1 VI_2 VI_3 VI_4 and 195 more could come"} {
		if !strings.Contains(strings.Join(strings.Fields(page.String()), " "), want) {
			t.Errorf("no %q on the page:\n%s", want, page.String())
		}
	}
}

// TestJSON: what is written can be read again, whole.
func TestJSON(t *testing.T) {
	h := healthy()
	for _, s := range seeds() {
		s.sow(h)
	}
	want := h.host(Options{RuntimeDir: "/run/standfast"}).examine(t.Context())
	var b bytes.Buffer
	if err := want.writeJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got Document
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
	if err := new(Severity).UnmarshalText([]byte("fatal")); err == nil {
		t.Error("a severity that there is not was read")
	}
}
