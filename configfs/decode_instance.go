package configfs

import (
	"net/netip"
	"strings"
	"time"
)

// draft is an instance as far as it is read. What depends on more than one keyword is settled by complete.
type draft struct {
	*Instance
	given    map[string]bool // the keywords written, be their values right or wrong
	interval word            // advert_int as written
	preempt  word            // the keyword nopreempt or preempt_delay, which "state MASTER" clears
	authType word
	authPass word
	source   word
	lease    word
	vacant   bool // a virtual_ipaddress without a line was written
}

// instanceWords are the keywords understood in vrrp_instance.
var instanceWords = keywords[*draft]{
	"state":                      (*decoder).state,
	"interface":                  (*decoder).heartbeat,
	"virtual_router_id":          (*decoder).routerNumber,
	"priority":                   (*decoder).priority,
	"version":                    (*decoder).instanceVersion,
	"advert_int":                 (*decoder).advertInt,
	"nopreempt":                  (*decoder).nopreempt,
	"preempt":                    (*decoder).preempt,
	"preempt_delay":              (*decoder).preemptDelay,
	"mcast_src_ip":               (*decoder).source,
	"authentication":             (*decoder).authentication,
	"virtual_ipaddress":          (*decoder).advertised,
	"virtual_ipaddress_excluded": (*decoder).excluded,
	"virtual_routes":             (*decoder).routes,
	"track_interface":            (*decoder).tracks,
	"dont_track_primary":         (*decoder).dontTrackPrimary,
	"down_timer_adverts":         onInstance((*decoder).downAdverts),
	"garp_master_delay":          onInstance((*decoder).garpDelay),
	"garp_master_repeat":         onInstance((*decoder).garpRepeat),
	"garp_master_refresh":        onInstance((*decoder).garpRefresh),
	"garp_master_refresh_repeat": onInstance((*decoder).garpRefreshRepeat),
	"notify":                     func(d *decoder, s *statement, i *draft) { d.notify(s, &i.Notify) },
	"notify_master":              func(d *decoder, s *statement, i *draft) { d.notify(s, &i.Notify) },
	"notify_backup":              func(d *decoder, s *statement, i *draft) { d.notify(s, &i.Notify) },
	"notify_fault":               func(d *decoder, s *statement, i *draft) { d.notify(s, &i.Notify) },
	"notify_stop":                func(d *decoder, s *statement, i *draft) { d.notify(s, &i.Notify) },
	"fault_prior":                (*decoder).faultPrior,
	"fault_contested":            (*decoder).faultContested,
	"fault_probe":                (*decoder).faultProbe,
	"fault_witness":              (*decoder).faultWitness,
	"vip_lease":                  (*decoder).vipLease,
}

// onInstance lets a draft be decoded by what needs the instance only.
func onInstance(decode func(*decoder, *statement, *Instance)) func(*decoder, *statement, *draft) {
	return func(d *decoder, s *statement, i *draft) { decode(d, s, i.Instance) }
}

// authenticationWords are the keywords understood in authentication.
var authenticationWords = keywords[*draft]{
	"auth_type": func(d *decoder, s *statement, i *draft) { d.keep(s, &i.authType) },
	"auth_pass": func(d *decoder, s *statement, i *draft) { d.keep(s, &i.authPass) },
}

func (d *decoder) instance(s *statement, _ *decoder) {
	if !d.blockOf(s, 1) {
		return
	}
	own := d.defaults
	i := &draft{Instance: &own, given: map[string]bool{}}
	for _, line := range s.body {
		i.given[line.first().text] = true
	}
	i.Name, i.Pos = s.args()[0].text, s.args()[0].pos
	walk(d, inInstance, s.body, instanceWords, i)
	d.drafts = append(d.drafts, i)
}

// keep stores the only argument of s for complete.
func (d *decoder) keep(s *statement, into *word) {
	if d.arity(s, 1, 1) {
		*into = s.args()[0]
	}
}

func (d *decoder) state(s *statement, i *draft) {
	if !d.arity(s, 1, 1) {
		return
	}
	if n, ok := d.choice(s.args()[0], "BACKUP", "MASTER"); ok {
		i.StateMaster = n == 1
	}
}

func (d *decoder) heartbeat(s *statement, i *draft) {
	if !d.arity(s, 1, 1) {
		return
	}
	p, ok := d.port(s.args()[0])
	if ok && p.Name == "lo" {
		d.error(p.Pos, "name the port on which the other router listens", "VRRP cannot run on the loopback interface")
	}
	i.Interface = p
}

func (d *decoder) routerNumber(s *statement, i *draft) {
	if n, ok := d.one(s, 1, 255); ok {
		i.VRID = uint8(n)
	}
}

func (d *decoder) priority(s *statement, i *draft) {
	if n, ok := d.one(s, 1, 255); ok {
		i.Priority = uint8(n)
	}
}

func (d *decoder) instanceVersion(s *statement, i *draft) {
	if n, ok := d.one(s, 2, 3); ok {
		i.Version = uint8(n)
	}
}

func (d *decoder) advertInt(s *statement, i *draft) {
	if !d.arity(s, 1, 1) {
		return
	}
	if t, ok := d.seconds(s.args()[0], 10*time.Millisecond, 255*time.Second); ok {
		i.Interval, i.interval = t, s.args()[0]
	}
}

func (d *decoder) nopreempt(s *statement, i *draft) {
	if d.arity(s, 0, 0) {
		i.Preempt, i.preempt = false, s.first()
	}
}

func (d *decoder) preempt(s *statement, i *draft) {
	if d.arity(s, 0, 0) {
		i.Preempt = true
	}
}

func (d *decoder) preemptDelay(s *statement, i *draft) {
	if t, ok := d.delay(s, 1000*time.Second); ok {
		i.PreemptDelay, i.preempt = t, s.first()
	}
}

func (d *decoder) source(s *statement, i *draft) {
	if !d.arity(s, 1, 1) {
		return
	}
	if a, ok := d.host(s.args()[0]); ok {
		i.Source, i.source = a, s.args()[0]
	}
}

func (d *decoder) authentication(s *statement, i *draft) {
	if d.blockOf(s, 0) {
		walk(d, inAuthentication, s.body, authenticationWords, i)
	}
}

func (d *decoder) dontTrackPrimary(s *statement, i *draft) {
	if d.arity(s, 0, 0) {
		i.DontTrackPrimary = true
	}
}

// tracks reads track_interface. A port with a weight is left out: taking it for one without would make a change of
// priority into a FAULT.
func (d *decoder) tracks(s *statement, i *draft) {
	if !d.blockOf(s, 0) {
		return
	}
	for _, line := range s.body {
		p, ok := d.port(line.first())
		switch {
		case !ok, !d.entry(line):
		case len(line.args()) == 0, line.args()[0].text == "weight" && len(line.args()) == 2 && line.args()[1].text == "0":
			i.Tracks = append(i.Tracks, p)
		case line.args()[0].text == "weight":
			d.hazard(line.args()[0].pos, "without weight, "+p.Name+" going down would be a fault",
				"weights are known to keepalived, not yet understood by standfast: %s is not tracked", p.Name)
		default:
			d.error(line.args()[0].pos, suggest(line.args()[0].text, []string{"weight"}), "unknown word %q after %s",
				line.args()[0].text, p.Name)
		}
	}
}

// entry complains about an entry of a list that opens a block.
func (d *decoder) entry(line *statement) bool {
	if line.block {
		d.error(line.first().pos, "look for a } that is missing above", "%q is an entry of a list and has no block",
			line.first().text)
	}
	return !line.block
}

func (d *decoder) faultPrior(s *statement, i *draft) {
	if !d.arity(s, 1, 1) {
		return
	}
	if n, ok := d.choice(s.args()[0], Serve.String(), Yield.String(), Incumbent.String()); ok {
		i.Fault.Prior = Prior(n)
	}
}

func (d *decoder) faultContested(s *statement, i *draft) {
	if !d.arity(s, 1, 1) {
		return
	}
	if n, ok := d.choice(s.args()[0], Hold.String(), Take.String()); ok {
		i.Fault.Contested = Contested(n)
	}
}

func (d *decoder) faultProbe(s *statement, i *draft) {
	if !d.arity(s, 1, 2) {
		return
	}
	if n, ok := d.number(s.args()[0], 1, 10); ok {
		i.Fault.Rounds = n
	}
	if len(s.args()) == 2 {
		i.Fault.Wait, _ = d.seconds(s.args()[1], time.Millisecond, time.Second)
	}
}

func (d *decoder) faultWitness(s *statement, i *draft) {
	if !d.arity(s, 1, 3) {
		return
	}
	a, ok := d.host(s.args()[0])
	w := Witness{Address: a, Pos: s.args()[0].pos}
	rest := s.args()[1:]
	if len(rest) > 0 && (rest[0].text != "dev" || len(rest) == 1) {
		d.error(rest[0].pos, "write: fault_witness ADDRESS dev INTERFACE", "%q is not understood after the address", rest[0].text)
		return
	}
	if len(rest) == 2 {
		var named bool
		w.Dev, named = d.port(rest[1])
		ok = ok && named
	}
	if ok {
		i.Fault.Witnesses = append(i.Fault.Witnesses, w)
	}
}

// maxLease bounds vip_lease: the longer a lifetime, the later the kernel's timer fires.
const maxLease = 14 * time.Second

func (d *decoder) vipLease(s *statement, i *draft) {
	if !d.arity(s, 1, 1) {
		return
	}
	w := s.args()[0]
	i.lease = w
	switch w.text {
	case "auto":
		i.Lease = Lease{}
	case "off":
		i.Lease = Lease{Off: true}
	default:
		if n, ok := d.number(w, 1, int(maxLease/time.Second)); ok {
			i.Lease = Lease{Fixed: time.Duration(n) * time.Second}
		}
	}
}

// host reads the plain address of a station.
func (d *decoder) host(w word) (netip.Addr, bool) {
	a, err := netip.ParseAddr(w.text)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		d.error(w.pos, addressHint(w.text), "%q is no IP address", w.text)
		return netip.Addr{}, false
	}
	if a.IsUnspecified() || a.IsMulticast() {
		d.error(w.pos, "", "%v cannot be the address of a station", a)
		return netip.Addr{}, false
	}
	return a, true
}

// addressHint guesses what went wrong in an address.
func addressHint(text string) string {
	if strings.Count(text, ".") != 3 || strings.Contains(text, ":") {
		return ""
	}
	return "an IPv4 address has four numbers from 0 to 255, without leading zeros"
}
