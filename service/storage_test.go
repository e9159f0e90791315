package service

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"standfast/hw/disk"
	"standfast/service/helper"
	"standfast/vrrp"
	"standfast/vrrp/node"
)

// sda is a volume of a disk of that name.
func sda(paths ...string) disk.Volume {
	return disk.Volume{Paths: paths, Mount: "/", Type: "ext4", Source: "/dev/sda1", Device: "8:1", Name: "sda1", Leaves: []string{"sda"}}
}

// storagePair is a pair of which A runs from a disk, with global_defs of its own.
func storagePair(t *testing.T, globals string) (p *pair, d *twinStorage) {
	t.Helper()
	p = newPair()
	p.a.configure("global_defs {\n" + globals + "\n}\n" + pairFile(100))
	p.a.storage.plug(sda("/", "/var", helper.ProbeFile))
	p.a.storage.signals = disk.Signals{Mount: disk.MountWell, Leaves: []disk.Leaf{{Name: "sda", Counted: true}}}
	return p, p.a.storage
}

// tries is a disk that is tried once a second until stop, whatever comes of it.
func (s *twinStorage) tries(h *twinHost, outcome func(op disk.Op) (took time.Duration, errno unix.Errno)) (stop func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	now := h.edges().now
	tell := func(x disk.Sample) bool {
		select {
		case s.words <- helper.DiskWord{Ready: true, Samples: []helper.DiskSample{{Device: "8:1", Sample: x}}}:
			return true
		case <-over:
			return false
		}
	}
	go func() {
		defer close(ended)
		for i := 0; ; i++ {
			x := disk.Sample{Op: disk.Op(i % 2), Seq: uint64(now()), Began: now()}
			took, errno := outcome(x.Op)
			if (took == 0 || took >= time.Second) && !tell(x) {
				return
			}
			if took == 0 { // it hangs
				<-over
				return
			}
			time.Sleep(took)
			x.Ended, x.Errno = now(), errno
			if !tell(x) {
				return
			}
			select {
			case <-time.After(time.Second):
			case <-over:
				return
			}
		}
	}()
	return func() {
		close(over)
		<-ended
	}
}

func well(disk.Op) (time.Duration, unix.Errno)  { return time.Millisecond, 0 }
func hangs(disk.Op) (time.Duration, unix.Errno) { return 0, 0 }

func (s *twinStorage) say(signals disk.Signals) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signals = signals
}

// hung is what the kernel says of a disk that answers nothing.
func hung() disk.Signals {
	return disk.Signals{Mount: disk.MountWell, Leaves: []disk.Leaf{{Name: "sda", Counted: true, InFlight: [2]uint64{1, 1}}}}
}

func stateOf(t *testing.T, s *service) string {
	t.Helper()
	return statusDocument(snapshotOf(t, s)).Node.Storage.State
}

// A MASTER whose disk hangs gives way to its peer within ten seconds; it stays a BACKUP that can be stopped.
func TestHungDiskMovesTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, d := storagePair(t, "")
		stop := d.tries(p.a, well)
		a, b, ended := p.steady(t)
		time.Sleep(30 * time.Second)
		if got := stateOf(t, a); got != "healthy" {
			t.Fatalf("storage is %s", got)
		}
		stop()
		began := time.Now()
		d.say(hung())
		stop = d.tries(p.a, hangs)
		defer func() { stop() }()
		for snapshotOf(t, b).Status.Instances[0].State != vrrp.Master {
			if time.Since(began) > 10*time.Second {
				t.Fatalf("the peer is not MASTER %v after the hang; storage of a is %s", time.Since(began), stateOf(t, a))
			}
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		wantState(t, a, vrrp.Backup)
		document := statusDocument(snapshotOf(t, a))
		storage := document.Node.Storage
		if storage.State != "failed" || !storage.Resigned || !strings.Contains(storage.Culprit, "/ and /var on sda: ") {
			t.Errorf("status: %+v", storage)
		}
		if v := storage.Volumes[0]; v.State != "failed" || v.Read.Running+v.Write.Running < 5 || v.File != helper.ProbeFile {
			t.Errorf("volume: %+v", v)
		}
		if !strings.Contains(strings.Join(document.Problems, "\n"), "storage has failed: / and /var on sda: ") {
			t.Errorf("problems: %q", document.Problems)
		}
		if !strings.Contains(p.a.log.String(), "storage failed: ") {
			t.Error("the log has no line about it")
		}
		ended()
	})
}

// Where nobody asks for the addresses nobody would serve them: a MASTER without a peer keeps on, and says so.
func TestHungDiskOfARouterAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, d := storagePair(t, "")
		a, end := p.a.run(t)
		time.Sleep(20 * time.Second)
		d.say(hung())
		stop := d.tries(p.a, hangs)
		defer stop()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		wantState(t, a, vrrp.Master)
		if got := stateOf(t, a); got != "failed" {
			t.Errorf("storage is %s", got)
		}
		p.a.terminate(t, end)
	})
}

func TestStorageStates(t *testing.T) {
	writable := disk.Signals{Mount: disk.MountWell, Leaves: []disk.Leaf{{Name: "sda", Counted: true}}}
	for _, test := range []struct {
		name    string
		globals string
		signals disk.Signals
		outcome func(disk.Op) (time.Duration, unix.Errno)
		state   string
		culprit string // in it
		after   time.Duration
	}{
		{"well", "", writable, well, "healthy", "", 5 * time.Second},
		{"errs", "", writable, func(disk.Op) (time.Duration, unix.Errno) { return time.Millisecond, unix.EIO }, "failed", "input/output error", 5 * time.Second},
		{"read-only", "", disk.Signals{Mount: disk.MountErrorsRead}, well, "failed", "ext4 has made itself read-only after errors", 2 * time.Second},
		{"read-only, and nobody tries", "", disk.Signals{Mount: disk.MountErrorsRead}, nil, "failed", "read-only after errors", 2 * time.Second},
		{"full", "", writable, func(op disk.Op) (time.Duration, unix.Errno) {
			return time.Millisecond, map[disk.Op]unix.Errno{disk.OpWrite: unix.ENOSPC}[op]
		}, "healthy", "", time.Minute},
		{"slow", "", hung(), func(disk.Op) (time.Duration, unix.Errno) { return 4 * time.Second, 0 }, "slow", "a ", time.Minute},
		{"nobody tries", "", writable, nil, "unknown", "", 5 * time.Second},
		{"not watched", "storage_watch off", hung(), hangs, "unwatched", "storage_watch is off", time.Minute},
		{"elsewhere", "storage_watch /srv", hung(), hangs, "unwatched", "no disk is under it", time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, d := storagePair(t, test.globals)
				a, end := p.a.run(t)
				d.say(test.signals)
				if test.outcome != nil {
					stop := d.tries(p.a, test.outcome)
					defer stop()
				}
				time.Sleep(test.after)
				synctest.Wait()
				got := statusDocument(snapshotOf(t, a)).Node.Storage
				if got.State != test.state || test.culprit == "" && got.Culprit != "" || !strings.Contains(got.Culprit, test.culprit) {
					t.Errorf("storage is %s: %q, want %s: %q", got.State, got.Culprit, test.state, test.culprit)
				}
				p.a.terminate(t, end)
			})
		})
	}
}

// The helper that goes leaves what the kernel says, and takes what it was trying with it.
func TestDiskHelperGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, d := storagePair(t, "")
		stop := d.tries(p.a, well)
		a, end := p.a.run(t)
		time.Sleep(10 * time.Second)
		stop()
		stop = d.tries(p.a, hangs) // and is killed while it tries
		time.Sleep(time.Second)
		stop()
		d.mu.Lock()
		gone, back := d.helper, make(chan struct{})
		d.words = nil
		d.mu.Unlock()
		close(gone)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		document := statusDocument(snapshotOf(t, a))
		if got := document.Node.Storage; got.State != "healthy" || got.Helper != "gone" || got.Volumes[0].Read.Running+got.Volumes[0].Write.Running != 0 {
			t.Errorf("without a helper: %+v", got)
		}
		if !strings.Contains(strings.Join(document.Problems, "\n"), "the disk helper is gone") {
			t.Errorf("problems: %q", document.Problems)
		}
		time.Sleep(time.Minute)
		if got := stateOf(t, a); got != "unknown" {
			t.Errorf("a minute later storage is %s", got)
		}
		d.say(disk.Signals{Mount: disk.MountShutdown})
		time.Sleep(2 * time.Second)
		if got := stateOf(t, a); got != "failed" {
			t.Errorf("shut down, and storage is %s", got)
		}
		d.mu.Lock()
		d.helper, d.words = back, make(chan helper.DiskWord)
		d.mu.Unlock()
		stop = d.tries(p.a, well)
		defer stop()
		time.Sleep(5 * time.Second)
		if got := statusDocument(snapshotOf(t, a)).Node.Storage.Helper; got != "there" {
			t.Errorf("the helper is %s", got)
		}
		for _, line := range []string{"the disk helper is not there", "the disk helper is there again"} {
			if n := strings.Count(p.a.log.String(), line); n != 1 {
				t.Errorf("the log says %d times %q", n, line)
			}
		}
		p.a.terminate(t, end)
	})
}

// What is looked at follows the configuration, and nothing else changes it.
func TestWatchIsReloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, d := storagePair(t, "")
		d.volumes = append(d.volumes, disk.Volume{Paths: []string{"/srv"}, Mount: "/srv", Type: "xfs", Device: "8:16", Leaves: []string{"sdb"}},
			disk.Volume{Paths: []string{"/rom"}, Mount: "/rom", Type: "ext4", Device: "8:32", Leaves: []string{"sdc"}, ReadOnly: true})
		_, end := p.a.run(t)
		time.Sleep(5 * time.Second)
		for _, globals := range []string{"router_id x", "storage_watch /srv /rom", "storage_watch off", "storage_watch /var"} {
			p.a.reload("global_defs {\n" + globals + "\n}\n" + pairFile(100))
			time.Sleep(5 * time.Second)
		}
		synctest.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		var got []string
		for _, o := range d.ordered {
			line := ""
			for _, task := range o.Watch {
				line += fmt.Sprintf("%v write %q; ", task.Volume, task.File)
			}
			got = append(got, line)
		}
		want := []string{
			`/ and /var on sda write "/var/lib/standfast/probe"; `,
			`/srv on sdb write "/srv/.standfast-probe"; /rom on sdc write ""; `, "", `/var on sda write "/var/lib/standfast/probe"; `,
		}
		if len(got) > 0 && got[0] == "" {
			got = got[1:] // nothing was found yet
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("ordered:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		p.a.terminate(t, end)
	})
}

// A host whose storage has failed for long enough while another serves is reset, once; without storage_fence it never is.
func TestFence(t *testing.T) {
	for globals, want := range map[string]int{"storage_fence 60": 1, "storage_fence off": 0} {
		t.Run(globals, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, d := storagePair(t, globals)
				_, b, ended := p.steady(t)
				time.Sleep(30 * time.Second)
				d.say(hung())
				stop := d.tries(p.a, hangs)
				defer stop()
				time.Sleep(50 * time.Second)
				synctest.Wait()
				wantState(t, b, vrrp.Master)
				if n := p.a.fences(); n != 0 {
					t.Errorf("%d resets before their time", n)
				}
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				if n := p.a.fences(); n != want {
					t.Errorf("%d resets, want %d", n, want)
				}
				ended()
			})
		})
	}
}

func (h *twinHost) fences() int {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	return len(h.fenced)
}

// That a host could not be reset is said long before it would have to be.
func TestFenceThatCannotBeArmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := storagePair(t, "")
		p.a.noFence = errors.New("no sysrq here")
		a, end := p.a.run(t)
		time.Sleep(time.Second)
		if got := statusDocument(snapshotOf(t, a)).Node.Storage.Fence; got != (FenceDocument{}) {
			t.Errorf("without storage_fence: %+v", got)
		}
		p.a.reload("global_defs {\nstorage_fence 60\n}\n" + pairFile(100))
		time.Sleep(time.Second)
		document := statusDocument(snapshotOf(t, a))
		if got, want := document.Node.Storage.Fence, (FenceDocument{After: 60, Trouble: "no sysrq here"}); got != want {
			t.Errorf("with storage_fence: %+v, want %+v", got, want)
		}
		if document.Healthy || !strings.Contains(p.a.log.String(), "storage_fence will not reset this host: no sysrq here") {
			t.Errorf("problems: %q", document.Problems)
		}
		a.fence(node.Fence{Reason: "x"}) // says so, and does nothing
		p.a.noFence = nil
		p.a.reload("global_defs {\nstorage_fence 61\n}\n" + pairFile(100))
		time.Sleep(time.Second)
		if got := statusDocument(snapshotOf(t, a)).Node.Storage.Fence; got != (FenceDocument{After: 61}) {
			t.Errorf("once it can be: %+v", got)
		}
		p.a.terminate(t, end)
	})
}
