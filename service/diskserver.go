package service

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

// diskOrder is what the service says to the disk helper, every beat: what to try.
type diskOrder struct {
	Watch []diskTask `json:"watch"`
}

// diskTask is one volume, and the file on it that may be written; without one it is only read.
type diskTask struct {
	Volume disk.Volume `json:"volume"`
	File   string      `json:"file,omitempty"`
}

// diskWord is what the disk helper says every second: what was tried since it last spoke, and what still runs.
type diskWord struct {
	Ready   bool          `json:"ready"`
	Samples []diskSample  `json:"samples,omitempty"`
	Trouble []diskTrouble `json:"trouble,omitempty"`
}

// diskSample is an attempt on the volume of that device number.
type diskSample struct {
	Device string      `json:"device"`
	Sample disk.Sample `json:"sample"`
}

// diskTrouble is why a volume cannot be tried as it should be.
type diskTrouble struct {
	Device string `json:"device"`
	Text   string `json:"text"`
}

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
	client  *helperConn // the one service that is listened to
	order   diskOrder
	probers map[string]*prober // by the names of their devices
}

// serveDisk is the disk helper process.
func serveDisk(ctx context.Context, l *helperListener, o HelperOptions) error {
	s := newDiskServer(o, clock.Now, probeDisk)
	go tie(ctx, o, HelperDisk, nil)
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

func newDiskServer(o HelperOptions, now func() time.Duration, probe openProbe) *diskServer {
	return &diskServer{
		dir: o.RuntimeDir, now: now, probe: probe, log: o.Log, attendance: newAttendance(o.first(), o.Linger), probers: map[string]*prober{},
	}
}

// serve is the connection of one service. A newer one takes the place of an older one.
func (s *diskServer) serve(ctx context.Context, conn *net.UnixConn) {
	c := &helperConn{UnixConn: conn}
	defer c.Close()
	if err := helperPeer(conn); err != nil {
		s.log(err.Error())
		return
	}
	// Also one who only looks whether somebody is here may be a service that will be back in a moment.
	if !s.attendance.enter() {
		return
	}
	defer s.attendance.leave()
	if c.say(diskWord{Ready: true}) != nil {
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
		var order diskOrder
		if err := json.Unmarshal(line, &order); err != nil {
			return err
		}
		s.take(ctx, c, order)
		return nil
	})
}

// take follows the order of a service.
func (s *diskServer) take(ctx context.Context, c *helperConn, order diskOrder) {
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
func (s *diskServer) leave(c *helperConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != c {
		return
	}
	s.client, s.order = nil, diskOrder{}
	s.follow(diskOrder{})
}

// tell reports to the service until it is gone.
func (s *diskServer) tell(ctx context.Context, c *helperConn) {
	defer c.Close()
	for ctx.Err() == nil {
		if c.say(s.report()) != nil {
			return
		}
		pause(ctx, diskReport)
	}
}

func (s *diskServer) report() diskWord {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := diskWord{Ready: true}
	for _, p := range s.probers {
		p.report(&w)
	}
	return w
}

// follow has a prober for each set of volumes that share a device, and none besides.
func (s *diskServer) follow(order diskOrder) {
	wanted := map[string][]diskTask{}
	for _, group := range disk.Groups(volumesOf(order)) {
		tasks := make([]diskTask, len(group))
		for i, v := range group {
			at := slices.IndexFunc(order.Watch, func(t diskTask) bool { return t.Volume.Device == v.Device })
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

func volumesOf(order diskOrder) []disk.Volume {
	volumes := make([]disk.Volume, len(order.Watch))
	for i, t := range order.Watch {
		volumes[i] = t.Volume
	}
	return volumes
}

// devicesOf names the devices under all tasks, each once: "sda+sdb".
func devicesOf(tasks []diskTask) string { return strings.Join(leavesOf(tasks), "+") }

func leavesOf(tasks []diskTask) []string {
	var leaves []string
	for _, t := range tasks {
		leaves = append(leaves, t.Volume.Leaves...)
	}
	slices.Sort(leaves)
	return slices.Compact(leaves)
}

func sameOrder(a, b diskOrder) bool { return slices.EqualFunc(a.Watch, b.Watch, sameTask) }

func sameTask(a, b diskTask) bool {
	return a.File == b.File && a.Volume.Device == b.Volume.Device && a.Volume.ReadOnly == b.Volume.ReadOnly &&
		slices.Equal(a.Volume.Leaves, b.Volume.Leaves)
}
