package configfs

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// canonical writes a configuration so that nothing is left to defaults. Reading it again gives the same Config.
func canonical(c Config) string {
	var b strings.Builder
	line := func(depth int, format string, args ...any) {
		b.WriteString(strings.Repeat("    ", depth))
		fmt.Fprintf(&b, format, args...)
		b.WriteByte('\n')
	}
	line(0, "global_defs {")
	if c.Global.RouterID != "" {
		line(1, "router_id %s", quote(c.Global.RouterID))
	}
	canonicalStorage(line, c.Global.Storage)
	canonicalProcess(line, c.Global.Process)
	line(0, "}")
	for _, g := range c.Groups {
		line(0, "vrrp_sync_group %s {", quote(g.Name))
		line(1, "group {")
		for _, m := range g.Members {
			line(2, "%s", quote(m.Name))
		}
		line(1, "}")
		canonicalNotify(line, g.Notify)
		line(0, "}")
	}
	for _, i := range c.Instances {
		line(0, "vrrp_instance %s {", quote(i.Name))
		canonicalInstance(line, i)
		line(0, "}")
	}
	return b.String()
}

func canonicalProcess(line liner, p Process) {
	if p.RealTime > 0 || p.Ordinary {
		line(1, "vrrp_rt_priority %d", p.RealTime)
	}
	if p.NiceSaid {
		line(1, "vrrp_priority %d", p.Nice)
	}
	if p.Watchdog.Name != "" {
		line(1, "watchdog_device %s", quote(p.Watchdog.Name))
	}
}

func canonicalStorage(line liner, s Storage) {
	watch := "auto"
	if s.Off {
		watch = "off"
	}
	if len(s.Paths) > 0 {
		watch = ""
		for _, p := range s.Paths {
			watch += " " + quote(p.Name)
		}
	}
	line(1, "storage_watch %s", strings.TrimSpace(watch))
	yield := "on"
	if s.Keep {
		yield = "off"
	}
	line(1, "storage_yield %s", yield)
	fence := "off"
	if s.Fence > 0 {
		fence = seconds(s.Fence.Seconds())
	}
	line(1, "storage_fence %s", fence)
}

type liner func(depth int, format string, args ...any)

func canonicalInstance(line liner, i Instance) {
	state := "BACKUP"
	if i.StateMaster {
		state = "MASTER"
	}
	line(1, "state %s", state)
	line(1, "interface %s", quote(i.Interface.Name))
	line(1, "virtual_router_id %d", i.VRID)
	line(1, "version %d", i.Version)
	line(1, "priority %d", i.Priority)
	line(1, "advert_int %v", i.Interval.Seconds())
	line(1, "down_timer_adverts %d", i.DownAdverts)
	if i.Source.IsValid() {
		line(1, "mcast_src_ip %v", i.Source)
	}
	if !i.Preempt {
		line(1, "nopreempt")
	}
	if i.PreemptDelay > 0 {
		line(1, "preempt_delay %s", seconds(i.PreemptDelay.Seconds()))
	}
	if i.DontTrackPrimary {
		line(1, "dont_track_primary")
	}
	line(1, "garp_master_delay %s", seconds(i.Garp.Delay.Seconds()))
	line(1, "garp_master_repeat %d", i.Garp.Repeat)
	line(1, "garp_master_refresh %s", seconds(i.Garp.Refresh.Seconds()))
	line(1, "garp_master_refresh_repeat %d", i.Garp.RefreshRepeat)
	if i.AuthPass {
		line(1, "authentication {")
		line(2, "auth_type PASS")
		line(2, "auth_pass %s", quote(strings.TrimRight(string(i.Password[:]), "\x00")))
		line(1, "}")
	}
	canonicalFault(line, i)
	canonicalAddresses(line, "virtual_ipaddress", i.Addresses)
	canonicalAddresses(line, "virtual_ipaddress_excluded", i.Excluded)
	canonicalRoutes(line, i.Routes)
	if len(i.Tracks) > 0 {
		line(1, "track_interface {")
		for _, t := range i.Tracks {
			line(2, "%s", quote(t.Name))
		}
		line(1, "}")
	}
	canonicalNotify(line, i.Notify)
}

func canonicalFault(line liner, i Instance) {
	line(1, "fault_prior %v", i.Fault.Prior)
	line(1, "fault_contested %v", i.Fault.Contested)
	if i.Fault.Wait > 0 {
		line(1, "fault_probe %d %s", i.Fault.Rounds, seconds(i.Fault.Wait.Seconds()))
	} else {
		line(1, "fault_probe %d", i.Fault.Rounds)
	}
	for _, w := range i.Fault.Witnesses {
		line(1, "fault_witness %v%s", w.Address, device(w.Dev))
	}
	switch {
	case i.Lease.Off:
		line(1, "vip_lease off")
	case i.Lease.Fixed > 0:
		line(1, "vip_lease %s", seconds(i.Lease.Fixed.Seconds()))
	default:
		line(1, "vip_lease auto")
	}
}

func canonicalAddresses(line liner, keyword string, all []Address) {
	if len(all) == 0 {
		return
	}
	line(1, "%s {", keyword)
	for _, a := range all {
		line(2, "%v%s%s%s%s", a.Prefix, option("brd", a.Broadcast), device(a.Dev), name("label", a.Label),
			name("scope", strconv.Itoa(int(a.Scope))))
	}
	line(1, "}")
}

func canonicalRoutes(line liner, all []Route) {
	if len(all) == 0 {
		return
	}
	line(1, "virtual_routes {")
	for _, r := range all {
		line(2, "%v%s%s%s metric %d table %d scope %d", r.Dst, option("via", r.Via), device(r.Dev), option("src", r.Src),
			r.Metric, r.Table, r.Scope)
	}
	line(1, "}")
}

func canonicalNotify(line liner, n Notify) {
	for _, s := range []struct {
		keyword string
		Script
	}{{"notify_master", n.Master}, {"notify_backup", n.Backup}, {"notify_fault", n.Fault}, {"notify_stop", n.Stop}, {"notify", n.Any}} {
		if len(s.Argv) == 0 {
			continue
		}
		args := make([]string, len(s.Argv))
		for i, arg := range s.Argv {
			args[i] = escape(arg)
		}
		line(1, "%s \"%s\"", s.keyword, strings.ReplaceAll(strings.Join(args, " "), `\`, `\\`))
	}
}

// escape writes one argument of a command for splitQuoted.
func escape(arg string) string {
	var b strings.Builder
	plain := arg != ""
	for i := range len(arg) {
		c := arg[i]
		plain = plain && c > ' '
		if c < ' ' || c >= 0x7f || strings.IndexByte(`\'"`, c) >= 0 {
			fmt.Fprintf(&b, `\%03o`, c)
		} else {
			b.WriteByte(c)
		}
	}
	if plain {
		return b.String()
	}
	return "'" + b.String() + "'"
}

// quote writes one word as the lexer reads it back.
func quote(w string) string {
	return `"` + strings.ReplaceAll(w, `"`, `\"`) + `"`
}

// seconds writes a number of seconds without an exponent.
func seconds(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func device(p Port) string {
	if p.Name == "" {
		return ""
	}
	return " dev " + quote(p.Name)
}

func name(keyword, value string) string {
	if value == "" {
		return ""
	}
	return " " + keyword + " " + quote(value)
}

func option(keyword string, a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return fmt.Sprintf(" %s %v", keyword, a)
}
