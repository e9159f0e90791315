package hwtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Kind says what a kernel event is about.
type Kind uint8

// The kinds of kernel events.
const (
	OtherEvent Kind = iota
	LinkEvent
	AddressAdded
	AddressRemoved
	RouteAdded
	RouteRemoved
)

// An Event is a message in which a router's kernel announced a change.
type Event struct {
	At      time.Time // when it was received
	Kind    Kind
	Index   int          // interface
	Prefix  netip.Prefix // of addresses and routes; 0.0.0.0/0 or ::/0 for a default route
	Table   int          // of routes
	Carrier bool         // of links: IFF_LOWER_UP
}

// Events collects what the kernel of a namespace announces.
type Events struct {
	file *os.File
	done chan struct{}

	mu     sync.Mutex
	events []Event
	change chan struct{} // closed and replaced with each event
	lost   bool
}

// Watch begins to collect the events of links, addresses and routes. It asks the kernel for nothing, so it doesn't disturb
// the batching of link events. Closed with the namespace's laboratory, or earlier by [Events.Close].
func (n *Namespace) Watch() (*Events, error) {
	e := &Events{done: make(chan struct{}), change: make(chan struct{})}
	err := n.Do(func() error {
		fd, err := rtnetlink(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE)
		if err != nil {
			return err
		}
		e.file = os.NewFile(uintptr(fd), "rtnetlink")
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("watch the kernel's events: %w", err)
	}
	go e.collect()
	return e, nil
}

// rtnetlink opens a non-blocking socket that is subscribed to the groups, in the namespace of the calling thread.
func rtnetlink(groups uint32) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return -1, err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (e *Events) collect() {
	defer close(e.done)
	buffer := make([]byte, 64<<10)
	for {
		n, err := e.file.Read(buffer)
		now := time.Now()
		if errors.Is(err, unix.ENOBUFS) {
			e.add(nil, true)
			continue
		}
		if err != nil {
			return
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			continue
		}
		var events []Event
		for _, m := range messages {
			if event := parseEvent(m); event.Kind != OtherEvent {
				event.At = now
				events = append(events, event)
			}
		}
		e.add(events, false)
	}
}

func (e *Events) add(events []Event, lost bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, events...)
	e.lost = e.lost || lost
	close(e.change)
	e.change = make(chan struct{})
}

// All returns the events so far, oldest first.
func (e *Events) All() []Event {
	events, _ := e.snapshot()
	return events
}

func (e *Events) snapshot() ([]Event, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.events[:len(e.events):len(e.events)], e.change
}

// Await returns the first event that is no older than since and satisfies match, waiting for it up to the given time.
func (e *Events) Await(since time.Time, patience time.Duration, match func(Event) bool) (Event, error) {
	timeout := time.After(patience)
	for seen := 0; ; {
		events, change := e.snapshot()
		for _, event := range events[seen:] {
			if !event.At.Before(since) && match(event) {
				return event, nil
			}
		}
		seen = len(events)
		select {
		case <-change:
		case <-timeout:
			return Event{}, fmt.Errorf("no such kernel event within %v: %w", patience, os.ErrDeadlineExceeded)
		}
	}
}

// Close ends the collection; what was collected stays readable. It reports whether events were lost.
func (e *Events) Close() error {
	e.file.Close()
	<-e.done
	if e.lost {
		return errors.New("kernel events were lost: the receive buffer was full")
	}
	return nil
}

// parseEvent reads one rtnetlink message; anything unexpected is an OtherEvent.
func parseEvent(m syscall.NetlinkMessage) Event {
	switch m.Header.Type {
	case unix.RTM_NEWLINK:
		if len(m.Data) < unix.SizeofIfInfomsg {
			return Event{}
		}
		flags := binary.NativeEndian.Uint32(m.Data[8:])
		return Event{Kind: LinkEvent, Index: int(int32(binary.NativeEndian.Uint32(m.Data[4:]))), Carrier: flags&unix.IFF_LOWER_UP != 0}
	case unix.RTM_NEWADDR:
		return parseAddress(m, AddressAdded)
	case unix.RTM_DELADDR:
		return parseAddress(m, AddressRemoved)
	case unix.RTM_NEWROUTE:
		return parseRoute(m, RouteAdded)
	case unix.RTM_DELROUTE:
		return parseRoute(m, RouteRemoved)
	}
	return Event{}
}

func parseAddress(m syscall.NetlinkMessage, kind Kind) Event {
	attributes, err := syscall.ParseNetlinkRouteAttr(&m)
	if err != nil {
		return Event{}
	}
	event := Event{Kind: kind, Index: int(binary.NativeEndian.Uint32(m.Data[4:]))}
	bits := int(m.Data[1])
	for _, a := range attributes {
		addr, ok := netip.AddrFromSlice(a.Value)
		if ok && (a.Attr.Type == unix.IFA_LOCAL || a.Attr.Type == unix.IFA_ADDRESS && !event.Prefix.IsValid()) {
			event.Prefix = netip.PrefixFrom(addr, bits)
		}
	}
	return event
}

func parseRoute(m syscall.NetlinkMessage, kind Kind) Event {
	attributes, err := syscall.ParseNetlinkRouteAttr(&m)
	if err != nil {
		return Event{}
	}
	event := Event{Kind: kind, Table: int(m.Data[4]), Prefix: netip.PrefixFrom(netip.IPv4Unspecified(), 0)}
	if m.Data[0] == unix.AF_INET6 {
		event.Prefix = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	for _, a := range attributes {
		switch {
		case a.Attr.Type == unix.RTA_DST:
			if addr, ok := netip.AddrFromSlice(a.Value); ok {
				event.Prefix = netip.PrefixFrom(addr, int(m.Data[1]))
			}
		case a.Attr.Type == unix.RTA_TABLE && len(a.Value) == 4:
			event.Table = int(binary.NativeEndian.Uint32(a.Value))
		case a.Attr.Type == unix.RTA_OIF && len(a.Value) == 4:
			event.Index = int(binary.NativeEndian.Uint32(a.Value))
		}
	}
	return event
}
