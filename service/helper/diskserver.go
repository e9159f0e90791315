package helper

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"standfast/hw/clock"
	"standfast/hw/disk"
)

// diskReport is how often the helper speaks.
const diskReport = time.Second

// diskServer is the disk helper. Nothing of it touches a disk but the probers, one for each set of volumes that share a
// device, each with a thread that hangs when the device does.
type diskServer struct {
	dir        string
	now        func() time.Duration
	probe      openProbe
	log        func(string)
	attendance *attendance

	mu      sync.Mutex
	client  *end // the one service that is listened to
	order   DiskOrder
	probers map[string]*prober // by the names of their devices
}

// serveDisk is the disk helper process.
func serveDisk(ctx context.Context, l *listener, o Options) error {
	s := newDiskServer(o, clock.Now, probeDisk)
	go tie(ctx, o, Disk, nil)
	failed := make(chan error, 1)
	go func() { failed <- l.accept(s.log, func(conn *net.UnixConn) { s.serve(ctx, conn) }) }()
	defer l.Close()
	select {
	case <-ctx.Done():
	case <-s.attendance.over:
	case err := <-failed:
		return err
	}
	return nil // whatever hangs stays behind, and keeps its lock
}

func newDiskServer(o Options, now func() time.Duration, probe openProbe) *diskServer {
	return &diskServer{
		dir: o.RuntimeDir, now: now, probe: probe, log: o.Log, attendance: newAttendance(o.first(), o.Linger), probers: map[string]*prober{},
	}
}

// serve is the connection of one service. A newer one takes the place of an older one.
func (s *diskServer) serve(ctx context.Context, conn *net.UnixConn) {
	c := &end{UnixConn: conn}
	defer c.Close()
	if err := CheckPeer(conn); err != nil {
		s.log(err.Error())
		return
	}
	// Also one who only looks whether somebody is here may be a service that will be back in a moment.
	if !s.attendance.enter() {
		return
	}
	defer s.attendance.leave()
	if c.say(DiskWord{Ready: true}) != nil {
		return
	}
	defer s.leave(c)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var last []byte
	_ = c.listen(func(line []byte) error { // how it ends makes no difference
		if last != nil && bytes.Equal(line, last) {
			return nil // what is said again every beat
		}
		last = bytes.Clone(line)
		var order DiskOrder
		if err := json.Unmarshal(line, &order); err != nil {
			return err
		}
		s.take(ctx, c, order)
		return nil
	})
}

// take follows the order of a service.
func (s *diskServer) take(ctx context.Context, c *end, order DiskOrder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != c {
		if s.client != nil {
			_ = s.client.Close()
		}
		s.client = c
		go s.tell(ctx, c)
	}
	if !sameOrder(s.order, order) {
		s.order = order
		s.follow(order)
	}
}

// leave stops everything when the service has gone: nobody wants to know.
func (s *diskServer) leave(c *end) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != c {
		return
	}
	s.client, s.order = nil, DiskOrder{}
	s.follow(DiskOrder{})
}

// tell reports to the service until it is gone.
func (s *diskServer) tell(ctx context.Context, c *end) {
	defer c.Close()
	for ctx.Err() == nil {
		if c.say(s.report()) != nil {
			return
		}
		pause(ctx, diskReport)
	}
}

func (s *diskServer) report() DiskWord {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := DiskWord{Ready: true}
	for _, p := range s.probers {
		p.report(&w)
	}
	return w
}

// follow has a prober for each set of volumes that share a device, and none besides.
func (s *diskServer) follow(order DiskOrder) {
	wanted := map[string][]DiskTask{}
	for _, group := range disk.Groups(volumesOf(order)) {
		tasks := make([]DiskTask, len(group))
		for i, v := range group {
			at := slices.IndexFunc(order.Watch, func(t DiskTask) bool { return t.Volume.Device == v.Device })
			tasks[i] = order.Watch[at]
		}
		wanted[devicesOf(tasks)] = tasks
	}
	for key, p := range s.probers {
		if !slices.EqualFunc(p.tasks, wanted[key], sameTask) {
			p.stop()
			delete(s.probers, key)
		}
	}
	for key, tasks := range wanted {
		if s.probers[key] == nil {
			s.probers[key] = startProber(s.dir, s.now, s.probe, tasks)
		}
	}
}

func volumesOf(order DiskOrder) []disk.Volume {
	volumes := make([]disk.Volume, len(order.Watch))
	for i, t := range order.Watch {
		volumes[i] = t.Volume
	}
	return volumes
}

// devicesOf names the devices under all tasks, each once: "sda+sdb".
func devicesOf(tasks []DiskTask) string { return strings.Join(leavesOf(tasks), "+") }

func leavesOf(tasks []DiskTask) []string {
	var leaves []string
	for _, t := range tasks {
		leaves = append(leaves, t.Volume.Leaves...)
	}
	slices.Sort(leaves)
	return slices.Compact(leaves)
}

func sameOrder(a, b DiskOrder) bool { return slices.EqualFunc(a.Watch, b.Watch, sameTask) }

func sameTask(a, b DiskTask) bool {
	return a.File == b.File && a.Volume.Device == b.Volume.Device && a.Volume.ReadOnly == b.Volume.ReadOnly &&
		slices.Equal(a.Volume.Leaves, b.Volume.Leaves)
}
