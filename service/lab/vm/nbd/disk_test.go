package nbd

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ask are requests of both directions, with the cookie that says which.
func ask() []request {
	return []request{
		{command: commandRead, cookie: 1, length: 3},
		{command: commandWrite, cookie: 2, length: 1},
		{command: commandFlush, cookie: 3},
		{command: commandTrim, cookie: 4, offset: 1, length: 1},
		{command: commandWriteZeroes, cookie: 5, offset: 2, length: 1},
	}
}

// sendAll sends them all.
func sendAll(c *client) {
	c.t.Helper()
	for _, q := range ask() {
		data := ""
		if q.command == commandWrite {
			data = "x"
		}
		c.send(q, []byte(data))
	}
}

// answers takes so many, by their cookies.
func answers(c *client, count int) map[uint64]syscall.Errno {
	c.t.Helper()
	got := map[uint64]syscall.Errno{}
	for range count {
		a := c.next()
		got[a.cookie] = a.errno
	}
	return got
}

// alike are answers to some requests, all the same.
func alike(errno syscall.Errno, cookies ...uint64) map[uint64]syscall.Errno {
	all := map[uint64]syscall.Errno{}
	for _, c := range cookies {
		all[c] = errno
	}
	return all
}

// scene is a disk of three bytes with a client, in a bubble: when all in it wait, synctest.Wait returns, and time passes then.
func scene(t *testing.T, play func(t *testing.T, d *Disk, c *client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(strings.NewReader("abc"), 3)
		play(t, d, use(t, pipe(t, d)))
	})
}

// holds fails unless so many requests wait when nothing else can happen.
func holds(t *testing.T, d *Disk, want int) {
	t.Helper()
	synctest.Wait()
	if got := d.Held(); got != want {
		t.Fatalf("%d requests are held instead of %d", got, want)
	}
}

// expect fails unless these are the next answers.
func expect(c *client, want map[uint64]syscall.Errno) {
	c.t.Helper()
	if diff := cmp.Diff(want, answers(c, len(want))); diff != "" {
		c.t.Fatal(diff)
	}
}

func TestHangAndHeal(t *testing.T) {
	scene(t, func(t *testing.T, d *Disk, c *client) {
		d.Hang()
		sendAll(c)
		holds(t, d, 5)
		time.Sleep(time.Hour) // of the bubble
		holds(t, d, 5)
		if d.Reads() != 1 || d.Writes() != 4 {
			t.Errorf("%d reads and %d writes have come", d.Reads(), d.Writes())
		}
		d.Heal()
		expect(c, alike(0, 1, 2, 3, 4, 5))
		holds(t, d, 0)
		if got := c.get(0, 3); got != "x\x00\x00" {
			t.Errorf("the disk holds %q", got)
		}
	})
}

func TestWritesHangReadsDoNot(t *testing.T) {
	scene(t, func(t *testing.T, d *Disk, c *client) {
		d.Suffer(Trouble{}, Trouble{Hang: true})
		sendAll(c)
		expect(c, alike(0, 1))
		holds(t, d, 4)
		if got := c.get(0, 3); got != "abc" {
			t.Errorf("the disk holds %q", got)
		}
		d.Suffer(Trouble{Hang: true}, Trouble{}) // those that hung meet the new trouble
		expect(c, alike(0, 2, 3, 4, 5))
		c.send(ask()[0], nil)
		holds(t, d, 1)
		d.Fail()
		expect(c, alike(syscall.EIO, 1))
	})
}

func TestFail(t *testing.T) {
	scene(t, func(t *testing.T, d *Disk, c *client) {
		d.Fail()
		sendAll(c)
		expect(c, alike(syscall.EIO, 1, 2, 3, 4, 5))
		d.FailWrites()
		sendAll(c)
		want := alike(syscall.EIO, 2, 3, 4, 5)
		want[1] = 0
		expect(c, want)
		d.Suffer(Trouble{Errno: syscall.ENOSPC}, Trouble{Errno: syscall.EROFS}) // of which NBD has the first
		sendAll(c)
		want[1] = syscall.ENOSPC
		expect(c, want)
		d.Heal()
		if got := c.get(0, 3); got != "abc" {
			t.Errorf("what failed has changed the disk to %q", got)
		}
	})
}

func TestSlow(t *testing.T) {
	scene(t, func(t *testing.T, d *Disk, c *client) {
		began := time.Now()
		took := func(want time.Duration) {
			t.Helper()
			if got := time.Since(began); got != want {
				t.Fatalf("after %v instead of %v", got, want)
			}
			began = time.Now()
		}
		d.Slow(time.Second)
		sendAll(c)
		holds(t, d, 5)
		expect(c, alike(0, 1, 2, 3, 4, 5)) // side by side
		took(time.Second)

		d.Suffer(Trouble{Delay: time.Second}, Trouble{Delay: 3 * time.Second, Errno: syscall.EIO})
		sendAll(c)
		expect(c, alike(0, 1))
		took(time.Second)
		expect(c, alike(syscall.EIO, 2, 3, 4, 5))
		took(2 * time.Second)

		d.Slow(time.Hour)
		sendAll(c)
		holds(t, d, 5)
		time.Sleep(2 * time.Second)
		d.Slow(3 * time.Second) // from when they came
		expect(c, alike(0, 1, 2, 3, 4, 5))
		took(3 * time.Second)

		d.Slow(time.Hour)
		sendAll(c)
		holds(t, d, 5)
		d.Heal()
		expect(c, alike(0, 1, 2, 3, 4, 5))
		took(0)
	})
}

// TestPowerCut: what hung when the connection broke has not happened; what was answered before is there for the next.
func TestPowerCut(t *testing.T) {
	scene(t, func(t *testing.T, d *Disk, c *client) {
		c.put(2, "z")
		d.Hang()
		sendAll(c)
		holds(t, d, 5)
		c.stream.Close()
		holds(t, d, 0)
		d.Heal()
		if got := use(t, pipe(t, d)).get(0, 3); got != "abz" {
			t.Errorf("the disk holds %q", got)
		}
	})
}

// TestLeave: who says goodbye still gets the answers to what is open, and nothing else.
func TestLeave(t *testing.T) {
	scene(t, func(t *testing.T, d *Disk, c *client) {
		d.Hang()
		sendAll(c)
		c.send(request{command: commandDisconnect}, nil)
		c.send(request{command: commandWrite, length: 3}, []byte("no!"))
		holds(t, d, 5)
		d.Heal()
		expect(c, alike(0, 1, 2, 3, 4, 5))
		c.ended()
		if got := use(t, pipe(t, d)).get(0, 3); got != "x\x00\x00" {
			t.Errorf("the disk holds %q", got)
		}
	})
	scene(t, func(t *testing.T, d *Disk, c *client) { // and one that does not wait for them
		d.Hang()
		sendAll(c)
		c.send(request{command: commandDisconnect}, nil)
		holds(t, d, 5)
		c.stream.Close()
		holds(t, d, 0)
	})
}

// TestTooManyOpen: there is an end to how many may hang, and it does not keep the server from noticing the client's.
func TestTooManyOpen(t *testing.T) {
	scene(t, func(t *testing.T, d *Disk, c *client) {
		d.Hang()
		for n := range uint64(maxOpen) {
			c.send(request{command: commandWrite, cookie: n, length: 1}, []byte("x"))
		}
		holds(t, d, maxOpen)
		for _, q := range ask()[:3] {
			data := ""
			if q.command == commandWrite {
				data = "x"
			}
			if a := c.do(q, []byte(data)); a.errno != syscall.ENOMEM {
				t.Errorf("%+v: %v", q, a.errno)
			}
		}
		c.stream.Close()
		holds(t, d, 0)
	})
}

// dial is a client by the socket.
func dial(t *testing.T, socket string) *client {
	t.Helper()
	stream, err := net.DialTimeout("unix", socket, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stream.Close() })
	if err := stream.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return use(t, stream)
}

// TestServe: disks share a base and nothing else; clients come and go; in the end all is gone.
func TestServe(t *testing.T) {
	base, folder := strings.NewReader("base"), t.TempDir()
	var disks []*Disk
	for _, name := range []string{"a", "b"} {
		d, err := Serve(filepath.Join(folder, name), base, 1<<40)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		disks = append(disks, d)
	}
	first := dial(t, filepath.Join(folder, "a"))
	first.put(1, "ook")
	first.put(1<<40-3, "end")
	first.stream.Close()
	again := dial(t, filepath.Join(folder, "a"))
	other := dial(t, filepath.Join(folder, "b"))
	for _, tt := range []struct {
		c      *client
		offset uint64
		want   string
	}{{again, 0, "book\x00"}, {again, 1<<40 - 4, "\x00end"}, {other, 0, "base\x00"}, {other, 1<<40 - 4, "\x00\x00\x00\x00"}} {
		if got := tt.c.get(tt.offset, uint32(len(tt.want))); got != tt.want {
			t.Errorf("at %d there is %q instead of %q", tt.offset, got, tt.want)
		}
	}
	disks[0].Hang()
	sendAll(again)
	for deadline := time.Now().Add(time.Minute); disks[0].Held() != 5; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests hang instead of 5", disks[0].Held())
		}
	}
	for range 2 {
		if err := disks[0].Close(); err != nil {
			t.Error(err)
		}
	}
	again.ended()
	if got := disks[0].Held(); got != 0 {
		t.Errorf("%d requests hang in a closed disk", got)
	}
	if _, err := os.Stat(filepath.Join(folder, "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its socket: %v", err)
	}
	if got := other.get(0, 4); got != "base" {
		t.Errorf("the other disk holds %q", got)
	}
}

func TestServeRefuses(t *testing.T) {
	folder := t.TempDir()
	d, err := Serve(filepath.Join(folder, "taken"), strings.NewReader(""), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, tt := range []struct {
		socket string
		size   int64
		want   error
	}{
		{filepath.Join(folder, "a"), 0, syscall.EINVAL},
		{filepath.Join(folder, "a"), -1, syscall.EINVAL},
		{filepath.Join(folder, strings.Repeat("a", 108)), 1, syscall.ENAMETOOLONG},
		{filepath.Join(folder, "none", "a"), 1, fs.ErrNotExist},
		{filepath.Join(folder, "taken"), 1, syscall.EADDRINUSE},
	} {
		if d, err := Serve(tt.socket, strings.NewReader(""), tt.size); !errors.Is(err, tt.want) || d != nil {
			t.Errorf("%s, %d bytes: %v, %v", tt.socket, tt.size, d, err)
		}
	}
}
