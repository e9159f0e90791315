package nbd

import (
	"errors"
	"io"
	"iter"
	"sync"
)

// chunkSize is how much a disk copies of its base at a time, in bytes.
const chunkSize = 64 << 10

// overlay is what a disk holds: its base, and over it the chunks that were written. It takes no more memory than it has bytes, and
// a little for each chunk.
type overlay struct {
	base io.ReaderAt
	size int64

	mu     sync.RWMutex
	chunks map[int64][]byte // by number; nil: nothing but zeroes; absent: as in the base
}

// piece is the part of a request that lies in one chunk.
type piece struct {
	chunk        int64 // its number
	start, stop  int   // in the chunk
	offset, done int64 // on the disk, and of the request before it
	whole        bool  // it is all that the disk has of the chunk
}

// pieces divides a part of the disk.
func (o *overlay) pieces(offset, length int64) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		for done := int64(0); done < length; {
			at := offset + done
			p := piece{chunk: at / chunkSize, start: int(at % chunkSize), offset: at, done: done}
			end := min(chunkSize, o.size-p.chunk*chunkSize)
			p.stop = int(min(end, int64(p.start)+length-done))
			p.whole = p.start == 0 && int64(p.stop) == end
			if !yield(p) {
				return
			}
			done += int64(p.stop - p.start)
		}
	}
}

// read fills b with what is on the disk from an offset on. The caller has seen to it that so much is there, as for the others.
func (o *overlay) read(b []byte, offset int64) error {
	o.mu.RLock()
	defer o.mu.RUnlock()
	for p := range o.pieces(offset, int64(len(b))) {
		part := b[p.done:][:p.stop-p.start]
		chunk, own := o.chunks[p.chunk]
		switch {
		case !own:
			if err := o.readBase(part, p.offset); err != nil {
				return err
			}
		case chunk == nil:
			clear(part)
		default:
			copy(part, chunk[p.start:])
		}
	}
	return nil
}

// write has the disk hold b from an offset on.
func (o *overlay) write(b []byte, offset int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for p := range o.pieces(offset, int64(len(b))) {
		chunk, err := o.own(p)
		if err != nil {
			return err
		}
		copy(chunk[p.start:p.stop], b[p.done:])
	}
	return nil
}

// zero has the disk hold zeroes, and takes no memory for whole chunks of them.
func (o *overlay) zero(offset, length int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for p := range o.pieces(offset, length) {
		if chunk, own := o.chunks[p.chunk]; p.whole || own && chunk == nil {
			o.chunks[p.chunk] = nil
			continue
		}
		chunk, err := o.own(p)
		if err != nil {
			return err
		}
		clear(chunk[p.start:p.stop])
	}
	return nil
}

// own is the disk's own copy of the chunk that a piece is in, of which the piece is about to be changed.
func (o *overlay) own(p piece) ([]byte, error) {
	chunk, own := o.chunks[p.chunk]
	if chunk != nil {
		return chunk, nil
	}
	start := p.chunk * chunkSize
	chunk = make([]byte, min(chunkSize, o.size-start))
	if !own && !p.whole {
		if err := o.readBase(chunk, start); err != nil {
			return nil, err
		}
	}
	o.chunks[p.chunk] = chunk
	return chunk, nil
}

// readBase reads what was never written. Behind the end of the base there are zeroes.
func (o *overlay) readBase(b []byte, offset int64) error {
	n, err := o.base.ReadAt(b, offset)
	if errors.Is(err, io.EOF) {
		clear(b[n:])
		return nil
	}
	return err
}
