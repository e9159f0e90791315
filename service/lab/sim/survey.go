package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"standfast/vrrp/world"
)

// survey runs many worlds and prints the figures of all.
func (p plan) survey(ctx context.Context, out, progress io.Writer) (held bool, err error) {
	if p.time > 0 {
		timed, cancel := context.WithTimeout(ctx, p.time)
		defer cancel()
		ctx = timed
	}
	t := newTally(p.from)
	done := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		t.watch(progress, done)
	}()
	p.work(ctx, t)
	close(done)
	<-watched
	if err := t.print(out, p.workers); err != nil {
		return false, err
	}
	slices.SortFunc(t.failed, func(a, b world.Result) int { return cmp.Compare(a.Seed, b.Seed) })
	for _, r := range t.failed[:min(len(t.failed), p.violations)] {
		err = errors.Join(err, p.report(r, out))
	}
	return len(t.failed) == 0, err
}

// work runs the worlds of one seed after the other, each worker the next that nobody has.
func (p plan) work(ctx context.Context, t *tally) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var next atomic.Uint64
	var workers sync.WaitGroup
	for range p.workers {
		workers.Go(func() {
			for ctx.Err() == nil {
				k := next.Add(1) - 1
				if p.worlds > 0 && k >= p.worlds {
					return
				}
				begin := time.Now()
				r := world.Run(p.from + k)
				if t.add(r, time.Since(begin)) >= p.violations {
					stop()
				}
			}
		})
	}
	workers.Wait()
}

// watch says from time to time how far the work is: often and in place on a terminal, seldom and line by line elsewhere.
func (t *tally) watch(progress io.Writer, done <-chan struct{}) {
	period, format := 15*time.Second, "%s\n"
	if terminal(progress) {
		period, format = time.Second, "\r%s\x1b[K"
		defer fmt.Fprint(progress, "\r\x1b[K")
	}
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			fmt.Fprintf(progress, format, t.line())
		}
	}
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
