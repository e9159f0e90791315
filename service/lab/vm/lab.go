package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"standfast/service/lab/vm/machine"
	"standfast/service/lab/vm/segment"
)

// The addresses of the pair. The virtual ones are where the hosts of the LAN and of the WAN send what is for the other side.
const (
	lanVIP, wanVIP   = "192.168.10.1", "203.0.113.1"
	lanNet, wanNet   = "192.168.10.", "203.0.113."
	lanHost, wanHost = "192.168.10.100", "203.0.113.100"
	askers           = "200" // the last octet of those who ask
	vrid             = 51
)

// resetDark is how long a machine that begins anew keeps its ports dark, as the firmware of a card does.
const resetDark = 3 * time.Second

// pingInterval is how often the LAN's client sends a packet through the pair.
const pingInterval = 20 * time.Millisecond

// A lab is two machines, what connects them, and whoever looks at them from outside.
//
//	            crossover cable 10.255.0.0/30
//	     ┌──p4p1 ─────────────────────────── p4p1──┐
//	┌────┴────┐                               ┌────┴────┐
//	│ A   100 │                               │ B    50 │
//	└─┬────┬──┘                               └──┬────┬─┘
//	  │    └p4p2──── LAN 192.168.10.0/24 ────p4p2┘    │
//	  └─────p4p3──── WAN 203.0.113.0/24 ─────p4p3─────┘
//
// The client of the LAN (.100) sends to the host of the WAN (.100) through whoever serves, and is answered the same way; another station (.200) asks
// on both who has the virtual address.
type lab struct {
	folder  string
	image   machine.Image
	accel   string
	payload string
	version [2]string // of the packages in the payload: their files
	out     io.Writer

	cable, lan, wan *segment.Segment
	lanAsk, wanAsk  *segment.Asker
	ping            *segment.Pinger
	adverts         *segment.Adverts
	a, b            *router

	mu       sync.Mutex
	cableOut bool
}

// open makes everything but the machines.
func (l *lab) open() (err error) {
	epoch := time.Now()
	plugs := func(name string) []segment.Plug {
		return []segment.Plug{
			{Machine: "A", Socket: filepath.Join(l.folder, name+".A")},
			{Machine: "B", Socket: filepath.Join(l.folder, name+".B")},
		}
	}
	for name, s := range map[string]**segment.Segment{"cable": &l.cable, "lan": &l.lan, "wan": &l.wan} {
		if *s, err = segment.Listen(name, epoch, plugs(name)...); err != nil {
			return err
		}
	}
	station := func(s *segment.Segment, name, net, last, vip string, mac byte) *segment.Host {
		return s.Host(name, segment.MAC{0x02, 0, 0, 0, 0xff, mac}, netip.MustParsePrefix(net+last+"/24"), netip.MustParseAddr(vip))
	}
	client := station(l.lan, "client", lanNet, "100", lanVIP, 1)
	station(l.wan, "server", wanNet, "100", wanVIP, 2)
	l.lanAsk = station(l.lan, "asker", lanNet, askers, lanVIP, 3).Ask(segment.AskInterval, netip.MustParseAddr(lanVIP))
	l.wanAsk = station(l.wan, "asker", wanNet, askers, wanVIP, 4).Ask(segment.AskInterval, netip.MustParseAddr(wanVIP))
	l.ping = client.Ping(netip.MustParseAddr(wanHost), pingInterval)
	l.adverts = l.cable.Adverts()
	l.a = &router{lab: l, name: "A", number: 2, priority: 100}
	l.b = &router{lab: l, name: "B", number: 3, priority: 50}
	return nil
}

// close takes the power from everything.
func (l *lab) close() error {
	var errs []error
	for _, r := range l.pair() {
		errs = append(errs, r.scrap())
	}
	for _, s := range []*segment.Segment{l.cable, l.lan, l.wan} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

func (l *lab) pair() []*router {
	if l.a == nil {
		return nil
	}
	return []*router{l.a, l.b}
}

// other is the other one of the pair.
func (l *lab) other(r *router) *router {
	if r == l.a {
		return l.b
	}
	return l.a
}

func (l *lab) now() time.Duration { return l.lan.Now() }

func (l *lab) say(format string, args ...any) {
	fmt.Fprintf(l.out, "%7.1fs  %s\n", l.now().Seconds(), fmt.Sprintf(format, args...))
}

// pull takes the cable out, or puts it in.
func (l *lab) pull(out bool) error {
	l.mu.Lock()
	l.cableOut = out
	l.mu.Unlock()
	return l.settle()
}

// settle gives both ends of the cable the carrier that they have in the real world: if it is in, and there is power and a card at the other end.
func (l *lab) settle() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, r := range l.pair() {
		errs = append(errs, r.light(!l.cableOut && l.other(r).shines()))
	}
	return errors.Join(errs...)
}

// until waits for something that has to come about.
func until(ctx context.Context, patience time.Duration, what string, holds func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %s: %w", patience, what, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// lookOn lets time pass in which nothing is expected to happen.
func lookOn(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// serving is who answers for both virtual addresses now: over the last moments, nobody else does.
func (l *lab) serving() string { return l.server(500 * time.Millisecond) }

// server is who has served alone for a time until now.
func (l *lab) server(over time.Duration) string {
	to := l.now()
	return alone(to-over, to, l.lanAsk.Service(netip.MustParseAddr(lanVIP)), l.wanAsk.Service(netip.MustParseAddr(wanVIP)))
}

// alone is who served everything between two moments, and nobody else anything; empty if there is none.
func alone(from, to time.Duration, services ...segment.Service) string {
	who := ""
	for i, s := range services {
		spans := s.Spans(from, to)
		if len(spans) != 1 || len(spans[0].Who) != 1 || i > 0 && spans[0].Who[0] != who {
			return ""
		}
		who = spans[0].Who[0]
	}
	return who
}

func makeFolder() (string, error) {
	folder, err := os.MkdirTemp("", "vm-") // a short name, for the sockets in it
	if err != nil {
		return "", err
	}
	return folder, os.Chmod(folder, 0o700)
}

// settled is for how long A has served alone before a story begins.
const settled = 5 * time.Second

// ready brings the pair to where every story begins: both have power, all parts and the cable, run the daemon, and A serves, as it has for a while.
func (l *lab) ready(ctx context.Context, d daemon) error {
	if err := l.pull(false); err != nil {
		return err
	}
	for _, r := range l.pair() {
		if err := r.furnish(ctx); err != nil {
			return err
		}
	}
	for _, r := range []*router{l.b, l.a} {
		if err := r.arise(ctx, d); err != nil {
			return fmt.Errorf("%w\n%s", err, tail(r.vm.Console()))
		}
	}
	if err := until(ctx, 2*time.Minute, "A serves alone", func() bool { return l.server(settled) == "A" }); err != nil {
		return err
	}
	if d != standfast {
		return nil
	}
	return l.calibrated(ctx)
}

// calibrated waits until B knows A's voice on every port: before, a silence proves nothing to it.
func (l *lab) calibrated(ctx context.Context) error {
	last := error(nil)
	err := until(ctx, time.Minute, "B is calibrated", func() bool {
		s, err := l.b.status(ctx)
		last = err
		known := 0
		for _, p := range s.Ports {
			if p.Calibrated {
				known++
			}
		}
		return err == nil && known == 2 && len(s.Instances) == 1 && s.Instances[0].State == "BACKUP"
	})
	return errors.Join(err, last)
}

// tail is the end of a text.
func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
