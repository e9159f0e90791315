package migrate

import (
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"standfast/configfs"
)

// commandLine finds out what keepalived is asked for, and what becomes of it.
func (p *Plan) commandLine(s Snapshot, l launch) usage {
	k := s.Keepalived
	if len(l.words) == 0 {
		if k.runs() {
			p.find(configfs.Error, "systemctl cat keepalived", "the unit of keepalived does not say what it starts")
		}
		p.now("command      unknown, since there is no unit to read: taken for keepalived without options")
		return understood(nil)
	}
	from := append([]string{k.Fragment}, k.DropIns...)
	p.now("command      %s", strings.Join(l.words, " "))
	p.now("             from %s", strings.Join(append(from, l.files...), ", "))
	for _, name := range l.missing {
		p.find(configfs.Hazard, "look into "+k.Fragment, "the unit of keepalived wants %s, which is not there", name)
	}
	if !l.isProgram("keepalived") {
		p.find(configfs.Error, "move by hand: what starts keepalived has to start standfast run -f FILE in the same way",
			"the unit does not start keepalived itself but %s", l.words[0])
		return understood(nil)
	}
	u := understood(l.words[1:])
	p.Options = u.options
	return u
}

// otherSettings names what the operator made of keepalived's unit that standfast's unit does not have.
func (p *Plan) otherSettings(s Snapshot, all []setting) {
	for _, one := range all {
		own := slices.Contains(s.Keepalived.DropIns, one.file) || strings.HasPrefix(one.file, "/etc/systemd/system/")
		line := one.key + "=" + one.value
		switch {
		case one.section != "Service" || one.value == "":
		case one.key == "NetworkNamespacePath" || one.key == "JoinsNamespaceOf" || one.key == "PrivateNetwork" && one.value != "no":
			p.find(configfs.Error, "give standfast's unit the same in a drop-in, and move by hand",
				"keepalived's unit has %s (%s): the ports are in another network namespace", line, one.file)
		case slices.Contains([]string{"ExecStartPre", "ExecStartPost", "ExecStop", "ExecStopPost"}, one.key):
			p.find(configfs.Hazard, "systemctl edit standfast, if it is needed there",
				"keepalived's unit runs %s (%s), standfast's does not", line, one.file)
		case own && !slices.Contains([]string{"ExecStart", "Environment", "EnvironmentFile", "ExecReload", "Type", "PIDFile", "KillMode"}, one.key):
			p.find(configfs.Note, "systemctl edit standfast, if it is needed there",
				"%s gives keepalived %s; standfast has what its own unit says", one.file, line)
		}
	}
}

// configuration reads keepalived's file as standfast will.
func (p *Plan) configuration(s Snapshot, u usage) configfs.Config {
	c, complaints := configfs.Load(s.Files, u.file)
	p.Complaints = complaints
	p.now("file         %s%s; it stays where it is, and nothing in it is changed", u.file, including(c))
	switch n := len(c.Balancers); {
	case n > 0 && u.vrrpOnly:
		p.find(configfs.Note, "", "the file has %s, which keepalived does not run either (-P)", count(n, "virtual_server", "virtual_servers"))
	case n > 0:
		p.find(configfs.Error, "leave keepalived the balancing: move the blocks to a file of their own, have a second unit run keepalived -n -C with it and with "+
			"pid files of its own (-p, -c), and come back", "%v: the file has %s: keepalived balances load (IPVS), which would end with it",
			c.Balancers[0], count(n, "virtual_server", "virtual_servers"))
	}
	if complaints.Err() != nil {
		return c
	}
	p.differences(c)
	if other := runsWith(s.options().words); other != u.file {
		if _, err := fs.Stat(s.Files, strings.TrimPrefix(other, "/")); err == nil {
			p.find(configfs.Note, "", "%s, which standfast would read now, is not read any more; migrate --back undoes that", other)
		}
	}
	return c
}

// reachable makes sure that the service sees its files: its unit leaves root less than a shell does.
func (p *Plan) reachable(s Snapshot, c configfs.Config) {
	var homeless, bounded bool
	for _, one := range settings(s.Files, s.Standfast) {
		switch one.key {
		case "ProtectHome":
			homeless = one.value == "yes" || one.value == "true" || one.value == "tmpfs"
		case "CapabilityBoundingSet":
			bounded = one.value != "" && one.value[0] != '~' && !strings.Contains(one.value, "CAP_DAC_")
		}
	}
	for _, file := range c.Files {
		first := strings.Split(file, "/")[1]
		info, err := fs.Stat(s.Files, strings.TrimPrefix(file, "/"))
		switch {
		case homeless && (first == "home" || first == "root"):
			p.find(configfs.Error, "move it, or put ProtectHome=read-only into a drop-in of "+Standfast,
				"%s lies where the unit of standfast may not look (ProtectHome=)", file)
		case err == nil && bounded && !rootReads(info):
			p.find(configfs.Error, "chown root "+file, "%s belongs to somebody else, and its mode %v does not let root read it without CAP_DAC_OVERRIDE, which "+
				"the unit of standfast has not", file, info.Mode().Perm())
		}
	}
}

// rootReads says whether root may read a file without special rights.
func rootReads(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	switch mode := info.Mode(); {
	case stat.Uid == 0:
		return mode&0o400 != 0
	case stat.Gid == 0:
		return mode&0o040 != 0
	default:
		return mode&0o004 != 0
	}
}

func including(c configfs.Config) string {
	if n := len(c.Files) - 1; n > 0 {
		return " and " + count(n, "file", "files") + " that it includes"
	}
	return ""
}

// count writes a number and what it counts.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// differences says what standfast does otherwise with this file.
func (p *Plan) differences(c configfs.Config) {
	say := func(format string, args ...any) { p.Differences = append(p.Differences, fmt.Sprintf(format, args...)) }
	var dark, primary, leased, scripts []string
	for _, i := range c.Instances {
		if !serves(i, i.Interface.Name) {
			dark = append(dark, i.Interface.Name+" of "+i.Name)
		}
		if i.DontTrackPrimary {
			primary = append(primary, i.Name)
		}
		if !i.Lease.Off {
			leased = append(leased, i.Name)
		}
		scripts = append(scripts, programs(i.Notify)...)
	}
	for _, g := range c.Groups {
		scripts = append(scripts, programs(g.Notify)...)
	}
	if len(dark) > 0 {
		say("%s: only adverts pass there. When it goes dark this router is not in FAULT; it asks the serving ports who serves.", strings.Join(dark, ", "))
	}
	if len(primary) > 0 {
		say("dont_track_primary of %s means fault_prior serve, which is the default. An answer for the address still holds a BACKUP back.", strings.Join(primary, ", "))
	}
	if len(leased) > 0 {
		say("The virtual addresses have a lifetime in the kernel, which is renewed: they go by themselves if the service is killed or hangs.")
	}
	if len(scripts) > 0 {
		slices.Sort(scripts)
		say("These scripts notify, with the same arguments, from a process of their own: %s.", strings.Join(slices.Compact(scripts), ", "))
	}
	if !c.Global.Storage.Off {
		say("A MASTER whose disk fails resigns to a peer that lives, unless the file says storage_watch off or storage_yield off.")
	}
	if !c.Global.Process.Ordinary && c.Global.Process.RealTime == 0 {
		say("The service runs in real time at a low priority; vrrp_rt_priority 0 is to do without.")
	}
	say("There are a few ARP questions more: one for each serving port every five seconds, and short bursts in doubt.")
	say("Lines go to the journal of standfast; states to standfast status, reasons to standfast why.")
}

// serves says that an instance has something on a port but its adverts.
func serves(i configfs.Instance, port string) bool {
	return slices.ContainsFunc(slices.Concat(i.Addresses, i.Excluded), func(a configfs.Address) bool { return a.Dev.Name == port })
}

func programs(n configfs.Notify) (all []string) {
	for _, s := range []configfs.Script{n.Master, n.Backup, n.Fault, n.Stop, n.Any} {
		if len(s.Argv) > 0 {
			all = append(all, s.Argv[0])
		}
	}
	return all
}

// serving finds out what the users of this router will notice.
func (p *Plan) serving(s Snapshot, c configfs.Config) {
	if !s.Keepalived.runs() {
		p.Interruption = []string{"keepalived does not run: nothing is interrupted. standfast begins as BACKUP."}
		return
	}
	held, all := 0, 0
	local := addresses(s.Files)
	for _, i := range c.Instances {
		for _, a := range i.Addresses {
			all++
			if slices.Contains(local, a.Prefix.Addr()) {
				held++
			}
		}
	}
	switch {
	case local == nil || all == 0:
		p.now("role         unknown")
	case held == 0:
		p.now("role         BACKUP: it holds none of %s", count(all, "virtual address", "virtual addresses"))
		p.Interruption = []string{"This router is BACKUP: nothing is interrupted. For a few seconds nobody stands by."}
		return
	default:
		p.now("role         MASTER: it holds %d of %s", held, count(all, "virtual address", "virtual addresses"))
	}
	if all == 0 {
		return
	}
	p.Interruption = []string{
		"With a peer: keepalived says goodbye, and the peer serves within a second. standfast begins as BACKUP, and takes back what its priority and preempt give it.",
		fmt.Sprintf("Without one: an outage of about %d s, until standfast has heard nobody for the master-down interval.", outage(c)),
		"If you came through a virtual address, your own connection ends up at the peer: come through an address of this router, or a console.",
	}
}

// exchangeTakes is how long keepalived's stop, one second of which is its own wait, and standfast's start take together.
const exchangeTakes = 2 * time.Second

// outage is how many seconds nobody serves where there is no peer.
func outage(c configfs.Config) int {
	most := time.Duration(0)
	for _, i := range c.Instances {
		skew := time.Second * time.Duration(256-int(i.Priority)) / 256
		if i.Version == 3 {
			skew = i.Interval * time.Duration(256-int(i.Priority)) / 256
		}
		most = max(most, time.Duration(i.DownAdverts)*i.Interval+skew)
	}
	return int(math.Ceil((most + exchangeTakes).Seconds()))
}

// addresses are those that this host has, nil where it does not say.
func addresses(files fs.FS) (all []netip.Addr) {
	last := ""
	for line := range strings.Lines(text(files, "proc/self/net/fib_trie")) {
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && f[0] == "|--":
			last = f[1]
		case len(f) == 3 && f[0] == "/32" && f[2] == "LOCAL":
			if a, err := netip.ParseAddr(last); err == nil {
				all = append(all, a)
			}
		}
	}
	for line := range strings.Lines(text(files, "proc/self/net/if_inet6")) {
		hex, _, _ := strings.Cut(line, " ")
		var b [16]byte
		for i := 0; i < 16 && len(hex) == 32; i++ {
			n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
			if err != nil {
				break
			}
			b[i] = byte(n)
		}
		if len(hex) == 32 {
			all = append(all, netip.AddrFrom16(b))
		}
	}
	return all
}

// readable makes sure that keepalived finds its file, and that it is the one by which standfast runs.
func (p *Plan) readable(s Snapshot, u usage, o optionsFile) {
	if _, err := fs.Stat(s.Files, strings.TrimPrefix(u.file, "/")); err != nil {
		p.find(configfs.Error, "put it back, or name another in keepalived's options", "keepalived's file %s is not there", u.file)
	}
	p.now("file         %s", u.file)
	if ours := runsWith(o.words); ours != u.file && !bytes.Equal([]byte(text(s.Files, ours)), []byte(text(s.Files, u.file))) {
		p.find(configfs.Hazard, "diff "+ours+" "+u.file, "standfast runs by %s, keepalived by %s, and they differ", ours, u.file)
	}
	p.Differences = []string{
		"A heartbeat port that goes dark is a FAULT again, or with dont_track_primary perhaps a second MASTER.",
		"The virtual addresses stay in the kernel if keepalived is killed or hangs.",
		"keepalived ignores the keywords of standfast (fault_prior, vip_lease, storage_watch …) and says so in its log.",
	}
	if p.From.runs() {
		p.Interruption = []string{
			"With a peer: standfast says goodbye, and the peer serves within a second. keepalived begins as BACKUP, and takes back what its priority and preempt give it.",
			"Without one: an outage of some seconds, until keepalived has heard nobody for the master-down interval.",
		}
	}
}
