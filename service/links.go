package service

import (
	"context"
	"time"

	"standfast/hw/ethtool"
)

// linkPoll is how often a driver whose carrier is late is asked for the link of a heartbeat port. The question takes the kernel's
// configuration lock for a moment, so nobody else is asked that often, and nobody at all on behalf of a MASTER, who goes on serving.
const linkPoll = 50 * time.Millisecond

// followLinks has the links of heartbeat ports asked for whose drivers report a carrier late.
func (s *service) followLinks() {
	var asked []int
	for _, name := range s.plan.heartbeats() {
		state := s.book.find(name)
		if state.Present && carrierIsLate(s.book.testimony[name].hardware.Driver) && len(s.held) < len(s.plan.node.Instances) {
			asked = append(asked, state.Index)
		}
	}
	s.links.put(asked)
}

// linkPoller asks for links, and tells of each that is gone. The carrier, which follows within seconds, is left to those who read it.
func (s *service) linkPoller(ctx context.Context) {
	ticker := time.NewTicker(linkPoll)
	defer ticker.Stop()
	var asked []int
	known := map[int]ethtool.Carrier{}
	for {
		tick := ticker.C
		if len(asked) == 0 {
			tick = nil
		}
		select {
		case <-ctx.Done():
			return
		case asked = <-s.links:
		case <-tick:
			for _, index := range asked {
				s.askLink(ctx, index, known)
			}
		}
	}
}

// askLink tells of a link that was there and is gone.
func (s *service) askLink(ctx context.Context, index int, known map[int]ethtool.Carrier) {
	link, err := s.edges.hardware.Link(index)
	if err != nil {
		link.Carrier = ethtool.Unknown // the port is gone, or its driver answers nobody: others see that, and say so
	}
	if known[index] == ethtool.Up && link.Carrier == ethtool.Down {
		tell(ctx, s.carrier, carrierNews{index: index, dark: true})
	}
	known[index] = link.Carrier
}
