package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Bounds of what is worth to be committed for one target.
const (
	maxKept  = 30      // inputs
	maxBytes = 2 << 10 // of one input
)

// keep copies those inputs of the cache that reach code which the seeds and the committed inputs do not, the small ones first,
// and says how many.
func keep(t target) (int, error) {
	home, err := output("go", "list", "-f", "{{.Dir}}", t.pkg)
	if err != nil {
		return 0, err
	}
	cache, err := output("go", "env", "GOCACHE")
	if err != nil {
		return 0, err
	}
	candidates, err := small(filepath.Join(cache, "fuzz", t.pkg, t.name))
	if err != nil || len(candidates) == 0 {
		return 0, err
	}
	r, err := newRig(t, home)
	if err != nil {
		return 0, err
	}
	defer r.close()
	reached, err := r.reach("") // the seeds and what is committed
	if err != nil {
		return 0, err
	}
	kept, old := 0, 0
	for _, file := range candidates {
		if kept == maxKept {
			break
		}
		blocks, err := r.reach(file)
		if err != nil {
			old++ // one that fails would have failed as the target was fuzzed
			continue
		}
		if !adds(reached, blocks) {
			continue
		}
		kept++
		if err := copyFile(file, filepath.Join(home, "testdata", "fuzz", t.name, filepath.Base(file))); err != nil {
			return kept, err
		}
	}
	if old > 0 {
		fmt.Fprintf(os.Stderr, "%d cached inputs belong to an older form of %s\n", old, t.name)
	}
	return kept, nil
}

// adds puts more blocks to those that were reached and tells whether there was a new one among them.
func adds(reached, more map[string]bool) bool {
	before := len(reached)
	maps.Copy(reached, more)
	return len(reached) > before
}

// small lists the files of a folder that are not too large, the smallest first; none where there is no folder.
func small(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	type candidate struct {
		name string
		size int64
	}
	var all []candidate
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.Size() <= maxBytes {
			all = append(all, candidate{filepath.Join(folder, e.Name()), info.Size()})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.size, b.size), cmp.Compare(a.name, b.name)) })
	var names []string
	for _, c := range all {
		names = append(names, c.name)
	}
	return names, err
}

// A rig runs single inputs of a target and sees what code they reach.
type rig struct {
	target
	binary string
	folder string // in which it runs: the package's testdata, with one input instead of those committed
}

func newRig(t target, home string) (*rig, error) {
	folder, err := os.MkdirTemp("", "standfast-fuzz")
	if err != nil {
		return nil, err
	}
	r := &rig{target: t, folder: folder, binary: filepath.Join(folder, "target")}
	if text, err := command("go", "test", "-c", "-o", r.binary, "-cover", "-coverpkg", "./...", t.pkg).Output(); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", err, text), r.close())
	}
	entries, err := os.ReadDir(filepath.Join(home, "testdata"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, r.close())
	}
	err = os.Mkdir(filepath.Join(folder, "testdata"), 0o755)
	for _, e := range entries {
		if e.Name() != "fuzz" {
			err = errors.Join(err, os.Symlink(filepath.Join(home, "testdata", e.Name()), filepath.Join(folder, "testdata", e.Name())))
		}
	}
	committed, missing := small(filepath.Join(home, "testdata", "fuzz", t.name))
	for _, f := range committed {
		err = errors.Join(err, copyFile(f, r.input(filepath.Base(f))))
	}
	if err := errors.Join(err, missing); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *rig) close() error { return os.RemoveAll(r.folder) }

// input is where an input of that name has to lie.
func (r *rig) input(name string) string {
	return filepath.Join(r.folder, "testdata", "fuzz", r.name, name)
}

// reach runs one input, or all that were there before, and returns the code they reach.
func (r *rig) reach(file string) (map[string]bool, error) {
	which := "^" + r.name + "$"
	if file != "" {
		at := r.input(filepath.Base(file))
		if err := copyFile(file, at); err != nil {
			return nil, err
		}
		defer os.Remove(at)
		which += "/^" + filepath.Base(file) + "$"
	}
	profile := filepath.Join(r.folder, "profile")
	c := command(r.binary, "-test.run", which, "-test.coverprofile", profile)
	c.Dir = r.folder
	if text, err := c.Output(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", cmp.Or(file, "a committed input"), err, text)
	}
	text, err := os.ReadFile(profile)
	return covered(string(text)), err
}

// copyFile writes a copy, making folders as needed.
func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}
