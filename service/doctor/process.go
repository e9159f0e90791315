package doctor

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"standfast/hw/process"
	"standfast/service"
)

// Capabilities of a process, by number.
const (
	capIPCLock = 14
	capSysNice = 23
)

// processDir is the folder of the running service in /proc; false where it
// cannot be seen, as from another PID namespace.
func (d *host) processDir(p *patient) (string, bool) {
	if p.status == nil || p.status.Node.PID == 0 {
		return "", false
	}
	dir := path.Join("proc", strconv.Itoa(p.status.Node.PID))
	return dir, d.exists(dir)
}

// lookProcess looks at how firmly the running service holds its memory and its
// processor, and at who would miss it.
func (d *host) lookProcess(p *patient) []Finding {
	dir, there := d.processDir(p)
	if !there {
		return nil
	}
	findings := d.lookMemory(dir, p.status.Node.Body.Locked)
	findings = append(findings, d.lookScheduling(p, dir)...)
	findings = append(findings, p.lookLateness()...)
	if p.status.Node.Body.Watchdog == service.WatchdogStarved {
		findings = append(findings, Finding{
			Severity: SeverityHazard, Check: "watchdog", Subject: "standfast",
			Text:   "the service has stopped to feed watchdog_device",
			Why:    "something in it does not move, and the host will be reset",
			Remedy: "standfast why\njournalctl -u standfast -n 50    # hand over while there is time",
		})
	}
	if environment := d.text(path.Join(dir, "environ")); environment != "" && !has(environment, "NOTIFY_SOCKET") {
		// Whatever else a unit gives is missing too, and would be said in vain.
		findings = slices.DeleteFunc(findings, func(f Finding) bool { return f.Severity == SeverityNote })
		return append(findings, Finding{
			Severity: SeverityNote, Check: "supervisor", Subject: "standfast",
			Text:   "the service was not started by its unit",
			Why:    "when it dies or hangs nobody starts it again, and what the unit gives (real time, no death for want of memory) is missing",
			Remedy: "systemctl enable --now standfast    # after it was stopped here",
		})
	} else if environment != "" && !has(environment, "WATCHDOG_USEC") {
		findings = append(findings, Finding{
			Severity: SeverityHazard, Check: "supervisor", Subject: "standfast",
			Text:   "the unit of the service has no WatchdogSec",
			Why:    "a service that hangs without dying is never started again",
			Remedy: unitLines("watchdog", "WatchdogSec=10"),
		})
	}
	if score, known := d.number(path.Join(dir, "oom_score_adj")); known && score > -900 {
		findings = append(findings, Finding{
			Severity: SeverityNote, Check: "oom", Subject: "standfast",
			Text:   fmt.Sprintf("the service may be killed when memory runs out (oom_score_adj %d)", score),
			Why:    "a router that is short of memory would lose the one process that hands its work over",
			Remedy: unitLines("oom", "OOMScoreAdjust=-1000"),
		})
	}
	if len(findings) == 0 {
		return sound("process", "standfast", "memory is locked, every thread is real time, and the supervisor misses it")
	}
	return findings
}

// has says that an environment has a variable.
func has(environment, name string) bool {
	for variable := range strings.SplitSeq(environment, "\x00") {
		if strings.HasPrefix(variable, name+"=") {
			return true
		}
	}
	return false
}

// unitLines gives lines to the service's unit, and leaves the moment of the
// restart to the operator.
func unitLines(file string, lines ...string) string {
	const dir = "/etc/systemd/system/standfast.service.d"
	return "mkdir -p " + dir + "\n" +
		"printf '[Service]\\n" + strings.Join(lines, "\\n") + "\\n' > " + dir + "/" + file + ".conf\n" +
		"systemctl daemon-reload    # then, when the peer may take over: systemctl restart standfast"
}

// processStatus reads /proc/PID/status.
func (d *host) processStatus(dir string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(d.text(path.Join(dir, "status"))) {
		key, value, _ := strings.Cut(line, ":")
		all[key] = strings.TrimSpace(value)
	}
	return all
}

// kilobytes reads "1234 kB".
func kilobytes(text string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(text, " kB"))
	if err != nil {
		return 0
	}
	return n
}

// may says that a process has a capability.
func may(status map[string]string, capability uint) bool {
	set, err := strconv.ParseUint(status["CapEff"], 16, 64)
	return err == nil && set&(1<<capability) != 0
}

// limit is a soft limit from /proc/PID/limits, such as "unlimited" or "65536".
func (d *host) limit(dir, name string) string {
	for line := range strings.Lines(d.text(path.Join(dir, "limits"))) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				return f[0]
			}
		}
	}
	return ""
}

// lookMemory wants the service to be where no disk can take it away.
// locked is what the service says of itself.
func (d *host) lookMemory(dir, locked string) []Finding {
	status := d.processStatus(dir)
	if status["VmLck"] == "" {
		return nil // may not be read
	}
	f := Finding{
		Severity: SeverityHazard, Check: "memlock", Subject: "standfast",
		Why: "program text or heap that is not in memory is fetched from the disk; when the disk hangs, the whole process " +
			"freezes with it, at the moment in which it should hand over",
		Remedy: unitLines("memory", "LimitMEMLOCK=infinity", "AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_SYS_NICE"),
	}
	limit := d.limit(dir, "Max locked memory")
	switch swapped := kilobytes(status["VmSwap"]); {
	case kilobytes(status["VmLck"]) == 0 && limit != "unlimited" && !may(status, capIPCLock):
		f.Text = "the memory of the service is not locked, and its limit does not allow it (" + limit + " bytes)"
	case kilobytes(status["VmLck"]) == 0 && d.swaps():
		f.Text = "the memory of the service is not locked, and this host has swap space"
	case kilobytes(status["VmLck"]) == 0:
		f.Text = "the memory of the service is not locked"
	case swapped > 0:
		f.Text = fmt.Sprintf("%d kB of the service are swapped out", swapped)
	case locked == process.LockedText.String():
		f.Text = "of the memory of the service only the program text is locked"
	default:
		return nil
	}
	return []Finding{f}
}

// lookLateness wants adverts to leave in time: a peer misses those that are late
// as it misses those that are lost.
func (p *patient) lookLateness() []Finding {
	const enough = 1000 // adverts, for one in a thousand to mean anything
	late := p.status.Node.Lateness
	milliseconds := func(ms float64) time.Duration {
		return time.Duration(ms * float64(time.Millisecond)).Round(time.Millisecond)
	}
	if late.Adverts < enough || milliseconds(late.P999) <= p.fastest()/4 {
		return nil
	}
	return []Finding{{
		Severity: SeverityHazard, Check: "late", Subject: "standfast",
		Text: fmt.Sprintf("one advert in a thousand leaves more than %v late, the latest %v; the shortest interval is %v",
			milliseconds(late.P999), milliseconds(late.Max), p.fastest()),
		Why:    "a peer that waits for three of them has little left to wait, and takes over from a router that is well",
		Remedy: "standfast status    # real time? locked? then: top -H, and who takes the processor",
	}}
}

// swaps says that the host has swap space.
func (d *host) swaps() bool { return strings.Count(d.text("proc/swaps"), "\n") > 0 }

// lookScheduling wants every thread of the service to be real time, or none.
func (d *host) lookScheduling(p *patient, dir string) []Finding {
	const fifo, roundRobin = 1, 2
	real, ordinary := 0, 0
	for _, thread := range d.list(path.Join(dir, "task")) {
		switch schedulingPolicy(d.text(path.Join(dir, "task", thread, "stat"))) {
		case fifo, roundRobin:
			real++
		case 0:
			ordinary++
		}
	}
	budget, known := d.number("proc/sys/kernel/sched_rt_runtime_us")
	f := Finding{Severity: SeverityHazard, Check: "realtime", Subject: "standfast"}
	switch {
	case real > 0 && ordinary > 0:
		f.Text = fmt.Sprintf("only %d of the %d threads of the service are real time", real, real+ordinary)
		f.Why = "the real-time threads wait for work of the ordinary ones, which nobody hurries: later than with none"
		f.Remedy = "systemctl restart standfast    # hand over first; then see its first lines in the journal"
	case real > 0 && known && budget == 0:
		f.Text = "the kernel gives real-time threads no time (sched_rt_runtime_us 0)"
		f.Why = "the service runs only while nothing else does"
		f.Remedy = "sysctl -w kernel.sched_rt_runtime_us=950000 | tee -a /etc/sysctl.d/90-standfast.conf"
	case real == 0 && ordinary > 0:
		f.Text = "no thread of the service is real time" + d.whyNot(dir)
		f.Why = fmt.Sprintf("under full load adverts leave up to a tenth of a second late; the shortest interval here is %v", p.fastest())
		f.Remedy = unitLines("realtime", "LimitRTPRIO=99", "LimitRTTIME=infinity")
		if p.fastest() >= time.Second {
			f.Severity = SeverityNote
		}
		if p.config.Global.Process.Ordinary {
			return nil // as the configuration wants it
		}
	default:
		return nil
	}
	return []Finding{f}
}

// whyNot says what keeps a process from being real time, if it can be seen.
func (d *host) whyNot(dir string) string {
	status := d.processStatus(dir)
	if limit := d.limit(dir, "Max realtime priority"); limit == "0" && !may(status, capSysNice) {
		return ", and neither its limit nor its capabilities allow it"
	}
	if budget, known := d.number("sys/fs/cgroup/cpu/system.slice/cpu.rt_runtime_us"); known && budget == 0 {
		return ", and its control group has no real-time budget"
	}
	return ""
}

// schedulingPolicy reads /proc/PID/task/TID/stat; -1 when it cannot.
func schedulingPolicy(stat string) int {
	const behindName = 38 // fields between the name and the policy
	rest := stat[strings.LastIndex(stat, ")")+1:]
	f := strings.Fields(rest)
	if len(f) <= behindName {
		return -1
	}
	policy, err := strconv.Atoi(f[behindName])
	if err != nil {
		return -1
	}
	return policy
}

// fastest is the shortest advert interval.
func (p *patient) fastest() time.Duration {
	shortest := time.Duration(0)
	for _, i := range p.config.Instances {
		if shortest == 0 || i.Interval < shortest {
			shortest = i.Interval
		}
	}
	return shortest
}

// lookSupervision wants somebody to notice when the supervisor or the kernel
// hangs. It looks whether there is a watchdog and never opens it: that would
// start it.
func (d *host) lookSupervision(p *patient) []Finding {
	findings := d.lookWatchdog(p.config.Global.Process.Watchdog.Name)
	if seconds, known := d.number("proc/sys/kernel/panic"); known && seconds == 0 {
		findings = append(findings, Finding{
			Severity: SeverityNote, Check: "panic", Subject: "host",
			Text:   "after a panic the kernel waits for somebody to press the button (kernel.panic 0)",
			Why:    "the peer serves alone until somebody looks; its cable keeps its carrier and does not say so",
			Remedy: "sysctl -w kernel.panic=10 | tee -a /etc/sysctl.d/90-standfast.conf",
		})
	}
	if len(findings) == 0 {
		return sound("supervision", "host", "the supervisor and the kernel are watched")
	}
	return findings
}

// lookWatchdog wants a device that resets a host which hangs, and one owner of
// it: own is the device that the service is told to feed.
func (d *host) lookWatchdog(own string) []Finding {
	config := d.systemdConfig("system.conf")["Manager"]
	device := cmp.Or(config["WatchdogDevice"], "/dev/watchdog")
	there := func(name string) bool { return d.exists(strings.TrimPrefix(name, "/")) }
	fed := d.text("proc/1/comm") == "systemd" && !unset(config["RuntimeWatchdogSec"]) && there(device)
	f := Finding{Severity: SeverityNote, Check: "watchdog", Subject: "host"}
	switch {
	case own != "" && !there(own):
		f.Severity = SeverityHazard
		f.Text = "watchdog_device names " + own + ", which is not there"
		f.Why = "a router that hangs is not reset, although the configuration says so"
		f.Remedy = "ls -l /dev/watchdog*\nmodprobe softdog    # where the mainboard has none"
	case own != "" && fed && firstWatchdog(own) == firstWatchdog(device):
		f.Severity = SeverityHazard
		f.Text = "watchdog_device and RuntimeWatchdogSec of systemd are about the same device (" + own + ")"
		f.Why = "only one of them can open it, and the other feeds nothing"
		f.Remedy = "watchdog_device /dev/watchdog1    # a second one, or RuntimeWatchdogSec=off in /etc/systemd/system.conf"
	case own != "" || fed:
		return nil
	case !there("/dev/watchdog") && !there("/dev/watchdog0"):
		f.Text = "this host has no /dev/watchdog"
		f.Why = "when the kernel hangs nobody resets the router; the peer serves, and nobody stands by for it"
		f.Remedy = "modprobe iTCO_wdt || modprobe sp5100_tco || modprobe ipmi_watchdog || modprobe softdog"
	case d.text("proc/1/comm") == "systemd":
		f.Text = "nobody feeds the hardware watchdog: RuntimeWatchdogSec of systemd is off, and so is watchdog_device"
		f.Why = "when systemd itself hangs, as on a dead disk, nobody restarts the service and nobody resets the router"
		f.Remedy = "mkdir -p /etc/systemd/system.conf.d\n" +
			"printf '[Manager]\\nRuntimeWatchdogSec=20s\\n' > /etc/systemd/system.conf.d/90-watchdog.conf\n" +
			"systemctl daemon-reexec"
	default:
		return nil
	}
	return []Finding{f}
}

// firstWatchdog gives the two names of the first device as one.
func firstWatchdog(name string) string {
	if name == "/dev/watchdog0" {
		return "/dev/watchdog"
	}
	return name
}

// unset says that a time of systemd's is none.
func unset(value string) bool { return slices.Contains([]string{"", "0", "off", "infinity"}, value) }

// lookKernel says what the kernel is too old for.
func (d *host) lookKernel(p *patient) []Finding {
	major, minor, known := kernelRelease(p.kernel)
	if !known {
		return nil
	}
	older := func(a, b int) bool { return major < a || major == a && minor < b }
	f := Finding{Severity: SeverityNote, Check: "kernel", Subject: "Linux " + p.kernel, Remedy: "uname -r    # a newer kernel, when there is occasion"}
	switch {
	case older(3, 10):
		f.Severity = SeverityHazard
		f.Text, f.Why = "Linux "+p.kernel+" is older than 3.10", "standfast was never tried on it, and addresses cannot have a lease"
	case older(4, 4):
		f.Text = "Linux " + p.kernel + " cannot lock memory without filling it (4.4)"
		f.Why = "the service takes some 50 MB instead of 5; it cannot ask drivers why a link is down (5.6), nor count losses without a lock (4.16)"
	case older(4, 16) && !d.counts(p):
		f.Text = "Linux " + p.kernel + " has no carrier_down_count (4.16)"
		f.Why = "a loss of carrier is known when rtnetlink says so, which the kernel may hold back for a second"
	case older(5, 6) && !d.drivers():
		f.Text = "Linux " + p.kernel + " has no ethtool over netlink (5.6)"
		f.Why = "drivers cannot be asked why a link is down, and a card that is lost is not told from a cable that is"
	default:
		return sound("kernel", "Linux "+p.kernel, "it has everything that is asked of it")
	}
	return []Finding{f}
}

// counts says that the kernel counts losses of carrier all the same, as those of
// distributions do that were given it later.
func (d *host) counts(p *patient) bool {
	return slices.ContainsFunc(p.ports, func(one patientPort) bool {
		return d.exists(path.Join("sys/class/net", one.Name, "carrier_down_count"))
	})
}

// kernelRelease reads the first two numbers of a kernel's release.
func kernelRelease(text string) (major, minor int, known bool) {
	n, err := fmt.Sscanf(text, "%d.%d", &major, &minor)
	return major, minor, n == 2 && err == nil
}

// lookSELinux wants the service to be outside of domains that were written for
// another program.
func (d *host) lookSELinux(p *patient) []Finding {
	dir, there := d.processDir(p)
	if d.text("sys/fs/selinux/enforce") != "1" || !there {
		return sound("selinux", "SELinux", "nothing is enforced against the service")
	}
	label := strings.TrimRight(d.text(path.Join(dir, "attr/current")), "\x00")
	if !strings.Contains(label, ":keepalived_t:") {
		return sound("selinux", "SELinux", "the service runs as "+label)
	}
	return []Finding{{
		Severity: SeverityHazard, Check: "selinux", Subject: "standfast",
		Text:   "SELinux enforces and holds the service for keepalived (" + label + ")",
		Why:    "that domain may not lock memory, read disks or feed a watchdog: what keeps the service alive on a dead disk is denied",
		Remedy: "restorecon -v /usr/sbin/standfast    # and install it under its own name, not as keepalived\nausearch -m avc -ts recent",
	}}
}
