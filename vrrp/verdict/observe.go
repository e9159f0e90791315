package verdict

import "time"

// Observe turns readings into evidence. Without a doubt all of it is unknown, the heartbeat's link and the storage apart.
func Observe(r Readings, t Thresholds) Evidence {
	if !r.Doubting {
		return Evidence{Heartbeat: r.Heartbeat, Storage: r.Storage}
	}
	return Evidence{
		Voice:     voice(r, t.Window),
		Self:      self(r, t.Window),
		VIP:       vip(r.Ports),
		Serving:   serving(r.Ports),
		Silence:   silence(r.Ports),
		Crowd:     crowd(r),
		Heartbeat: r.Heartbeat,
		Storage:   r.Storage,
	}
}

func voice(r Readings, window time.Duration) Voice {
	switch {
	case r.Served.since(r.Doubt, window):
		return VoiceServes
	case r.Lived.since(r.Doubt, window):
		return VoiceLives
	case r.Powered:
		return VoicePowered
	}
	return VoiceSilent
}

// since says that something happened after the doubt began and is not stale. What happened in the very moment in which
// the doubt began was handled before it, because adverts are drained first, and says nothing of what came after.
func (a Age) since(doubt, window time.Duration) bool {
	return a.Known && a.D < doubt && (a.D <= window || window <= 0)
}

func self(r Readings, window time.Duration) Self {
	switch {
	case window <= 0:
		return SelfUnknown
	case r.Late > window && !r.Listened:
		return SelfLate
	}
	return SelfOnTime
}

// vip returns the strongest answer of all ports. While a port that can be asked has not been, nothing is known but an answer
// of the peer.
func vip(ports []PortReading) Reply {
	strongest, open := ReplyUnknown, false
	for _, p := range ports {
		strongest = max(strongest, p.VIP)
		open = open || p.VIP == ReplyUnknown && p.mustAnswer()
	}
	if open && strongest != ReplyPeer {
		return ReplyUnknown
	}
	return strongest
}

// mustAnswer says that the port has a virtual address to ask for and may carry an answer.
func (p PortReading) mustAnswer() bool {
	return !p.HeartbeatOnly && !p.NoVIP && (p.Link == LinkUp || p.Link == LinkUnknown)
}

func serving(ports []PortReading) Serving {
	all, up, unknown := 0, 0, 0
	for _, p := range ports {
		if p.HeartbeatOnly {
			continue
		}
		all++
		switch p.Link {
		case LinkUp:
			up++
		case LinkUnknown:
			unknown++
		case LinkDown, LinkAdminDown, LinkGone, LinkBroken:
		}
	}
	switch {
	case all == 0 || up == 0 && unknown > 0:
		return ServingUnknown
	case up == 0:
		return ServingNone
	case up < all:
		return ServingSome
	}
	return ServingAll
}

func silence(ports []PortReading) Silence {
	worth := SilenceUnknown
	for _, p := range ports {
		switch {
		case p.proves():
			return SilenceCalibrated
		case p.silent():
			worth = SilenceUncalibrated
		}
	}
	return worth
}

// silent says that the virtual address was asked for on a serving port and the peer did not answer, or not in the form that proves service.
func (p PortReading) silent() bool {
	return !p.HeartbeatOnly && (p.VIP == ReplySilent || p.VIP == ReplyUnconfirmed || p.VIP == ReplyStranger)
}

// proves says that an answer of the peer would have been heard on this port.
func (p PortReading) proves() bool {
	return p.silent() && p.Link == LinkUp && p.Calibrated && p.Witness && !p.Blind && !p.Mute
}

func crowd(r Readings) Crowd {
	switch {
	case r.Carrier && r.Routers < 0:
		return CrowdUnknown
	case r.Carrier && r.Routers > 1:
		return CrowdSeveral
	}
	return CrowdAlone
}
