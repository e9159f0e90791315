package configfs

import (
	"path"
	"strings"
)

// Bounds of what a process may ask of the scheduler; those of Linux.
const (
	maxRealTime = 99
	minNice     = -20
	maxNice     = 19
)

// realTime reads vrrp_rt_priority. keepalived begins at 1 and takes 0 for a mistake, with which it runs on.
func (d *decoder) realTime(s *statement, _ *decoder) {
	if n, ok := d.one(s, 0, maxRealTime); ok {
		p := &d.config.Global.Process
		p.RealTime, p.Ordinary = n, n == 0
	}
}

func (d *decoder) nice(s *statement, _ *decoder) {
	if n, ok := d.one(s, minNice, maxNice); ok {
		p := &d.config.Global.Process
		p.Nice, p.NiceSaid = n, true
	}
}

func (d *decoder) watchdogDevice(s *statement, _ *decoder) {
	if !d.arity(s, 1, 1) {
		return
	}
	device := &d.config.Global.Process.Watchdog
	switch w := s.args()[0]; {
	case w.text == "off":
		*device = Path{}
	case !strings.HasPrefix(w.text, "/"):
		d.error(w.pos, "write off, or a path such as /dev/watchdog1", "%q is no absolute path", w.text)
	default:
		*device = Path{path.Clean(w.text), w.pos}
	}
}
