package configfs

import "time"

// maxDelay bounds the delays for which keepalived has no bound of its own.
const maxDelay = 24 * time.Hour

// globalWords are the keywords understood in global_defs.
var globalWords = keywords[*decoder]{
	"router_id":                       (*decoder).routerID,
	"vrrp_version":                    (*decoder).globalVersion,
	"vrrp_down_timer_adverts":         onDefaults((*decoder).downAdverts),
	"vrrp_garp_master_delay":          onDefaults((*decoder).garpDelay),
	"vrrp_garp_master_repeat":         onDefaults((*decoder).garpRepeat),
	"vrrp_garp_master_refresh":        onDefaults((*decoder).garpRefresh),
	"vrrp_garp_master_refresh_repeat": onDefaults((*decoder).garpRefreshRepeat),
	"storage_watch":                   (*decoder).storageWatch,
	"storage_yield":                   (*decoder).storageYield,
	"storage_fence":                   (*decoder).storageFence,
	"vrrp_rt_priority":                (*decoder).realTime,
	"vrrp_priority":                   (*decoder).nice,
	"watchdog_device":                 (*decoder).watchdogDevice,
}

// onDefaults turns the keyword of an instance into its global form, which sets the default of instances to come.
func onDefaults(decode func(*decoder, *statement, *Instance)) func(*decoder, *statement, *decoder) {
	return func(d *decoder, s *statement, _ *decoder) { decode(d, s, &d.defaults) }
}

func (d *decoder) globals(s *statement, _ *decoder) {
	if !d.blockOf(s, 0) {
		return
	}
	if len(d.drafts) > 0 {
		d.hazard(s.first().pos, "move global_defs to the top of the file",
			"global_defs comes after vrrp_instance %s, to which its defaults do not apply", d.drafts[0].Name)
	}
	walk(d, inGlobals, s.body, globalWords, d)
}

func (d *decoder) routerID(s *statement, _ *decoder) {
	if d.arity(s, 1, 1) {
		d.config.Global.RouterID = s.args()[0].text
	}
}

func (d *decoder) globalVersion(s *statement, _ *decoder) {
	if v, ok := d.one(s, 2, 3); ok {
		d.version = uint8(v)
	}
}

// one reads the only argument of s, a whole number from least to most.
func (d *decoder) one(s *statement, least, most int) (int, bool) {
	if !d.arity(s, 1, 1) {
		return 0, false
	}
	return d.number(s.args()[0], least, most)
}

// delay reads the only argument of s, a number of seconds from 0 to most.
func (d *decoder) delay(s *statement, most time.Duration) (time.Duration, bool) {
	if !d.arity(s, 1, 1) {
		return 0, false
	}
	return d.seconds(s.args()[0], 0, most)
}

func (d *decoder) downAdverts(s *statement, i *Instance) {
	if n, ok := d.one(s, 1, 100); ok {
		i.DownAdverts = n
	}
}

func (d *decoder) garpDelay(s *statement, i *Instance) {
	if t, ok := d.delay(s, maxDelay); ok {
		i.Garp.Delay = t
	}
}

func (d *decoder) garpRefresh(s *statement, i *Instance) {
	if t, ok := d.delay(s, maxDelay); ok {
		i.Garp.Refresh = t
	}
}

func (d *decoder) garpRepeat(s *statement, i *Instance) {
	if n, ok := d.one(s, 0, 1000); ok {
		i.Garp.Repeat = max(n, 1) // as keepalived: a burst of none would never tell anybody
	}
}

func (d *decoder) garpRefreshRepeat(s *statement, i *Instance) {
	if n, ok := d.one(s, 0, 1000); ok {
		i.Garp.RefreshRepeat = max(n, 1)
	}
}
