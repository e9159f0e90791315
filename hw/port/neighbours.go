package port

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// Neighbours lists the stations that the kernel knows on a port, IPv4 and IPv6, with
// the hardware address it last had from them: confirmed lately or not, but never one it
// gave up. Like [Snapshot] it may wait for the kernel's configuration lock.
func Neighbours(index int) ([]Neighbour, error) {
	var list []Neighbour
	err := once(unix.RTM_GETNEIGH, request(neighbourSize, unix.NDA_IFINDEX, uint32(index)), func(m message) {
		if m.kind != unix.RTM_NEWNEIGH {
			return
		}
		if i, n, ok := decodeNeighbour(m.body); ok && i == index && !slices.Contains(list, n) {
			list = append(list, n)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("listing the neighbours of port %d: %w", index, err)
	}
	return list, nil
}

// Gateways lists the routers to which routes of any table forward through a port. Like
// [Snapshot] it may wait for the kernel's configuration lock, and longer the more routes
// there are.
func Gateways(index int) ([]netip.Addr, error) {
	var list []netip.Addr
	err := once(unix.RTM_GETROUTE, request(routeSize, unix.RTA_OIF, uint32(index)), func(m message) {
		if m.kind != unix.RTM_NEWROUTE {
			return
		}
		for _, h := range decodeRoute(m.body) {
			if h.index == index && h.gateway.IsValid() && !slices.Contains(list, h.gateway) {
				list = append(list, h.gateway)
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("listing the gateways of port %d: %w", index, err)
	}
	return list, nil
}

// once asks one question on a socket of its own.
func once(kind uint16, body []byte, each func(message)) error {
	r, err := open()
	if err != nil {
		return err
	}
	defer func() { _ = r.close() }()
	// A list that changed meanwhile may miss an entry; there is always a next time.
	if err := r.ask(kind, body, each); !errors.Is(err, errInterrupted) {
		return err
	}
	return nil
}
