package service

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"standfast/hw/disk"
	"standfast/service/helper"
	"standfast/vrrp/node"
)

// diskSensor reads what the kernel says of one volume, without touching a disk.
type diskSensor interface {
	Read() disk.Signals
	Close()
}

// storageEdge finds the storage under the router and whoever tries it.
type storageEdge interface {
	Find(paths []string) ([]disk.Volume, []disk.Skipped, error)
	Sensor(v disk.Volume) (diskSensor, error)
	// Converse is one connection to the disk helper, from its beginning to its end. It says again and again what is
	// ordered, and hands on what it hears.
	Converse(ctx context.Context, ordered func() helper.DiskOrder, heard func(helper.DiskWord))
}

// The rhythm of those who look at storage.
const (
	storageLook  = time.Second
	storageRetry = time.Second // to find the disk helper again
)

// usualPaths are looked at where nothing else is configured.
func usualPaths() []string { return []string{"/", "/var"} }

// hiddenFile is written by the disk helper in a folder that the operator named, where ProbeFile lies on none of theirs. It stays
// as that one does.
const hiddenFile = ".standfast-probe"

// storageReport is what is known of the storage under the router. It is a value: nobody changes one that was made.
type storageReport struct {
	State   node.Storage
	Culprit string
	Since   time.Duration // on the clock of the edges
	Off     bool          // storage_watch off
	Trouble string        // why nothing is found; empty where something is
	Volumes []volumeReport
	Skipped []disk.Skipped
	Helper  helper.Presence
}

// volumeReport is what is known of one volume.
type volumeReport struct {
	Volume   disk.Volume
	File     string // that is written; empty: it is only read
	Grade    disk.Grade
	Culprit  string
	Since    time.Duration
	Trouble  string // why it is not tried as it should be
	Reads    opReport
	Writes   opReport
	Degraded []string // arrays that lack members
}

// opReport is what is known of the attempts of one kind.
type opReport struct {
	Count         uint64
	P50, P99, Max time.Duration
	Good          time.Duration // when one was last done
	Running       time.Duration // since when one has not been answered; 0: none
}

// storage looks at the storage under the router. It is a goroutine of its own: what it reads cannot hang, what it
// hears comes from the disk helper, which may.
type storage struct {
	edge   storageEdge
	now    func() time.Duration
	log    *slog.Logger
	wanted latest[watched]
	news   chan node.StorageRead // for the loop, when the state changes
	report atomic.Pointer[storageReport]

	words  chan helper.DiskWord
	hears  chan bool // whether the disk helper is there
	order  atomic.Pointer[helper.DiskOrder]
	told   node.StorageRead
	latest storageReport

	volumes []*volume
}

// volume is one of those that are looked at.
type volume struct {
	volumeReport
	sensor diskSensor // nil where none could be opened
	record *disk.Record
	last   map[disk.Op]disk.Sample
}

func newStorage(e edges, log *slog.Logger) *storage {
	s := &storage{
		edge: e.storage, now: e.now, log: log, wanted: newLatest[watched](), news: make(chan node.StorageRead),
		words: make(chan helper.DiskWord), hears: make(chan bool),
	}
	s.order.Store(&helper.DiskOrder{})
	s.report.Store(&storageReport{})
	return s
}

// converse keeps a connection to the disk helper.
func (s *storage) converse(ctx context.Context) {
	for ctx.Err() == nil {
		there := false
		s.edge.Converse(ctx, func() helper.DiskOrder { return *s.order.Load() }, func(w helper.DiskWord) {
			if !there {
				there = true
				tell(ctx, s.hears, true)
			}
			tell(ctx, s.words, w)
		})
		tell(ctx, s.hears, false)
		pause(ctx, storageRetry)
	}
}

// run looks until ctx ends.
func (s *storage) run(ctx context.Context) {
	ticker := time.NewTicker(storageLook)
	defer ticker.Stop()
	defer s.drop()
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-s.wanted:
			s.find(w)
			s.look(ctx)
		case w := <-s.words:
			s.hear(w)
		case there := <-s.hears:
			s.attend(there)
		case <-ticker.C:
			s.look(ctx)
		}
	}
}

// find looks for what is to be looked at. It resolves paths, so it is done while the disk works: at the start, and when the
// operator changes the configuration.
func (s *storage) find(w watched) {
	s.drop()
	s.latest = storageReport{Off: w.off, Helper: s.latest.Helper, Since: s.now()}
	order := &helper.DiskOrder{}
	defer func() { s.order.Store(order) }()
	if w.off {
		return
	}
	paths := w.paths
	if len(paths) == 0 {
		paths = usualPaths()
	}
	found, skipped, err := s.edge.Find(slices.Concat(paths, []string{helper.ProbeFile}))
	if err != nil {
		s.latest.Trouble = err.Error()
		s.log.Warn("storage is not looked at: " + err.Error())
		return
	}
	for _, x := range skipped {
		if x.Path != helper.ProbeFile {
			s.latest.Skipped = append(s.latest.Skipped, x)
			s.log.Info(fmt.Sprintf("storage: %s is not looked at: %s", x.Path, x.Reason))
		}
	}
	for _, v := range found {
		if one := s.volumeOf(v, len(w.paths) > 0); one != nil {
			s.volumes = append(s.volumes, one)
			order.Watch = append(order.Watch, helper.DiskTask{Volume: one.Volume, File: one.File})
		}
	}
	if len(s.volumes) == 0 {
		s.latest.Trouble = "no disk is under it"
		return
	}
	names := make([]string, len(s.volumes))
	for i, v := range s.volumes {
		names[i] = v.Volume.String()
	}
	s.log.Info("storage: looking at " + strings.Join(names, ", "))
}

// volumeOf makes a volume that is to be looked at; nil where only the file for writing lies on it, which nobody named.
func (s *storage) volumeOf(v disk.Volume, named bool) *volume {
	one := &volume{last: map[disk.Op]disk.Sample{}}
	if at := slices.Index(v.Paths, helper.ProbeFile); at >= 0 {
		v.Paths = slices.Delete(slices.Clone(v.Paths), at, at+1)
		one.File = helper.ProbeFile
	}
	if len(v.Paths) == 0 {
		return nil
	}
	if one.File == "" && named {
		one.File = filepath.Join(v.Paths[0], hiddenFile)
	}
	if v.ReadOnly {
		one.File = ""
	}
	one.Volume, one.Since, one.record = v, s.now(), disk.NewRecord(v, disk.DefaultLimits())
	sensor, err := s.edge.Sensor(v)
	if err != nil {
		s.log.Warn(fmt.Sprintf("storage: what the kernel says of %v is not heard: %v", v, err))
		return one
	}
	one.sensor = sensor
	return one
}

// drop lets go of everything.
func (s *storage) drop() {
	for _, v := range s.volumes {
		if v.sensor != nil {
			v.sensor.Close()
		}
	}
	s.volumes = nil
}

// hear takes the samples of a word, and its complaints.
func (s *storage) hear(w helper.DiskWord) {
	for _, v := range s.volumes {
		trouble := ""
		for _, t := range w.Trouble {
			if t.Device == v.Volume.Device {
				trouble = t.Text
			}
		}
		if trouble != v.Trouble && trouble != "" {
			s.log.Warn(fmt.Sprintf("storage: %v: %s", v.Volume, trouble))
		}
		v.Trouble = trouble
	}
	for _, x := range w.Samples {
		for _, v := range s.volumes {
			if v.Volume.Device == x.Device {
				v.add(x.Sample)
			}
		}
	}
}

func (v *volume) add(s disk.Sample) {
	v.last[s.Op] = s
	v.record.Add(s)
}

// attend notes that the disk helper has come or gone. What it was doing when it went is not known: it may be gone with it.
func (s *storage) attend(there bool) {
	h := &s.latest.Helper
	if h.Known && h.There == there {
		return
	}
	before := *h
	*h = helper.Presence{Known: true, There: there, Since: s.now()}
	switch {
	case !there:
		s.log.Warn("the disk helper is not there: of the disks only what the kernel says is looked at")
		s.abandon()
	case before.Known:
		s.log.Info("the disk helper is there again")
	}
}

// abandon ends the attempts of a helper that has gone.
func (s *storage) abandon() {
	now := s.now()
	for _, v := range s.volumes {
		v.Trouble = ""
		for _, x := range v.last {
			if x.Ended == 0 {
				x.Ended, x.Errno = now, unix.ECANCELED
				v.add(x)
			}
		}
	}
}

// look reads what the kernel says, and tells what has changed.
func (s *storage) look(ctx context.Context) {
	now := s.now()
	worst := node.StorageRead{}
	var changes []string
	for _, v := range s.volumes {
		if v.look(now) {
			changes = append(changes, fmt.Sprintf("storage: %v is %v", v.Volume, v.Grade))
		}
		if state := storageState(v.Grade); worse(state, worst.State) {
			worst = node.StorageRead{State: state, Culprit: v.Culprit}
		}
	}
	if worst.State == node.StorageUnknown {
		worst.Culprit = ""
	}
	if worst.State != s.latest.State {
		s.latest.Since = now
	}
	s.latest.State, s.latest.Culprit = worst.State, worst.Culprit
	s.publish()
	if worst.State != s.told.State { // a culprit that counts seconds is no news
		s.told = worst
		tell(ctx, s.news, worst) // and the brain has a word for it
		return
	}
	for _, line := range changes {
		s.log.Warn(line)
	}
}

// look brings one volume up to date, and says whether its grade has changed.
func (v *volume) look(now time.Duration) (changed bool) {
	var signals disk.Signals
	if v.sensor != nil {
		signals = v.sensor.Read()
		v.record.Observe(now, signals)
	}
	before := v.Grade
	v.Grade, v.Culprit = v.record.Grade(now)
	v.Degraded = nil
	for _, a := range signals.Arrays {
		if a.Degraded > 0 {
			v.Degraded = append(v.Degraded, fmt.Sprintf("array %s lacks %d of its members", a.Name, a.Degraded))
		}
	}
	v.Reads, v.Writes = v.op(disk.OpRead, v.Reads), v.op(disk.OpWrite, v.Writes)
	if changed = v.Grade != before; changed {
		v.Since = now
	}
	return changed
}

func (v *volume) op(op disk.Op, before opReport) opReport {
	h := v.record.Histogram(op)
	r := opReport{Count: h.Count(), P50: h.Quantile(0.5), P99: h.Quantile(0.99), Max: h.Max(), Good: before.Good}
	last, tried := v.last[op]
	switch {
	case !tried:
	case last.Ended == 0:
		r.Running = last.Began
	case last.Errno == 0:
		r.Good = last.Ended
	}
	return r
}

// publish makes a copy for whoever asks.
func (s *storage) publish() {
	r := s.latest
	r.Volumes = make([]volumeReport, len(s.volumes))
	for i, v := range s.volumes {
		r.Volumes[i] = v.volumeReport
	}
	s.report.Store(&r)
}

func storageState(g disk.Grade) node.Storage {
	switch g {
	case disk.Healthy:
		return node.StorageHealthy
	case disk.Slow:
		return node.StorageSlow
	case disk.Failed:
		return node.StorageFailed
	case disk.Unknown:
	}
	return node.StorageUnknown
}

// worse orders the states of several volumes: one of which nothing is known takes nothing from what is known of others.
func worse(a, b node.Storage) bool { return a > b }

// hostStorage is the storage of the host.
type hostStorage struct{ runtimeDir string }

func (hostStorage) Find(paths []string) ([]disk.Volume, []disk.Skipped, error) {
	return disk.Find(paths)
}

func (hostStorage) Sensor(v disk.Volume) (diskSensor, error) {
	s, err := disk.OpenSensor(v)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (h hostStorage) Converse(ctx context.Context, ordered func() helper.DiskOrder, heard func(helper.DiskWord)) {
	helper.ConverseWithDisk(ctx, h.runtimeDir, ordered, heard)
}
