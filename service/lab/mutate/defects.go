package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// simulator is the program that a defect has to fail.
	simulator = "service/lab/sim"
	// hunt is how long the simulator may look for a defect.
	hunt = time.Minute
)

// everyDefect applies each of the deliberate defects, and says whether the invariant that it names has caught it.
func everyDefect(_ string, out io.Writer) (bool, error) {
	list, err := readDefects(defects)
	if err != nil {
		return false, err
	}
	caught := 0
	for _, d := range list {
		begin := time.Now()
		said, err := d.hunt(".", simulator, hunt)
		if err != nil {
			fmt.Fprintf(out, "%s: %v\n", d.name, err)
			continue
		}
		caught++
		fmt.Fprintf(out, "%s: caught by %s after %.1f s: %s\n", d.name, d.caughtBy, time.Since(begin).Seconds(), said)
	}
	fmt.Fprintf(out, "%d of %d deliberate defects caught\n", caught, len(list))
	return caught == len(list), nil
}

// defect is a deliberate mistake in one file: a patch whose head says what it breaks ("breaks: …") and which invariant
// names it ("caught-by: I1").
type defect struct {
	name, breaks, caughtBy string
	path                   string // of the file, from the root of the tree
	hunks                  []hunk
}

// hunk is a few lines that are replaced by others.
type hunk struct {
	line     int // where they stood when the patch was made, from 1
	old, new []string
}

// readDefects reads every patch of a folder, in the order of their names. A folder that is not there has none.
func readDefects(folder string) ([]defect, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.patch"))
	if err != nil {
		return nil, err
	}
	var list []defect
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		d, err := parseDefect(strings.TrimSuffix(filepath.Base(file), ".patch"), string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		list = append(list, d)
	}
	return list, nil
}

// parseDefect reads a unified diff of one file with its head.
func parseDefect(name, text string) (defect, error) {
	d := defect{name: name}
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, "--- "):
		case strings.HasPrefix(line, "+++ "):
			d.path = strings.TrimPrefix(strings.Fields(line)[1], "b/")
		case strings.HasPrefix(line, "@@ "):
			var h hunk
			if _, err := fmt.Sscanf(line, "@@ -%d", &h.line); err != nil {
				return d, fmt.Errorf("%q is no head of a hunk: %w", line, err)
			}
			d.hunks = append(d.hunks, h)
		case len(d.hunks) > 0:
			d.hunks[len(d.hunks)-1].add(line)
		default:
			d.head(line)
		}
	}
	if d.path == "" || len(d.hunks) == 0 || d.caughtBy == "" || d.breaks == "" {
		return d, errors.New("a deliberate defect needs \"breaks:\", \"caught-by:\" and a unified diff of one file")
	}
	return d, nil
}

func (d *defect) head(line string) {
	key, value, _ := strings.Cut(line, ":")
	switch key {
	case "breaks":
		d.breaks = strings.TrimSpace(value)
	case "caught-by":
		d.caughtBy = strings.TrimSpace(value)
	}
}

func (h *hunk) add(line string) {
	kind, text := byte(' '), ""
	if line != "" {
		kind, text = line[0], line[1:]
	}
	if kind != '+' {
		h.old = append(h.old, text)
	}
	if kind != '-' {
		h.new = append(h.new, text)
	}
}

// apply makes the mistake in a text. What stands in it now counts, not the line where it stood: of several places the
// nearest is taken.
func (d defect) apply(text string) (string, error) {
	lines := strings.Split(text, "\n")
	for _, h := range d.hunks {
		best := -1
		for at := range len(lines) - len(h.old) + 1 {
			if slices.Equal(lines[at:at+len(h.old)], h.old) && (best < 0 || distance(at+1, h.line) < distance(best+1, h.line)) {
				best = at
			}
		}
		if best < 0 {
			return "", fmt.Errorf("the patch does not fit %s any more: %q is not there", d.path, strings.Join(h.old, "\n"))
		}
		lines = slices.Replace(lines, best, best+len(h.old), h.new...)
	}
	return strings.Join(lines, "\n"), nil
}

func distance(a, b int) int { return max(a-b, b-a) }

// violation finds what the simulator prints when an invariant is broken: "violation I1 seed …".
func violation(out string) (line, invariant string) {
	for line := range strings.Lines(out) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "violation" {
			return strings.TrimSpace(line), words[1]
		}
	}
	return "", ""
}

// hunt builds a simulator of the tree at root with the mistake in it, lets it look for some time, and returns what it
// said. An error says that it found nothing, or something else.
func (d defect) hunt(root, program string, limit time.Duration) (string, error) {
	folder, err := os.MkdirTemp("", "defect")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(folder)
	binary := filepath.Join(folder, "sim")
	if err := d.build(root, program, folder, binary); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit+time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, binary, "-for", limit.String())
	command.Dir, command.WaitDelay = folder, time.Second
	out, err := command.CombinedOutput()
	said, invariant := violation(string(out))
	switch {
	case said == "" && err != nil:
		return "", fmt.Errorf("the simulator failed without a violation: %w\n%s", err, out)
	case said == "":
		return "", fmt.Errorf("nothing was found in %v, but it breaks this: %s", limit, d.breaks)
	case !slices.Contains(strings.Fields(d.caughtBy), invariant):
		return "", fmt.Errorf("%s was to catch it, but: %s", d.caughtBy, said)
	}
	return said, nil
}

func (d defect) build(root, program, folder, binary string) error {
	path, err := filepath.Abs(filepath.Join(root, d.path))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	wrong, err := d.apply(string(text))
	if err != nil {
		return err
	}
	overlay, err := overlay(folder, map[string]string{path: wrong})
	if err != nil {
		return err
	}
	out, err := gotool("build", "-C", root, "-overlay", overlay, "-o", binary, "./"+program)
	if err != nil {
		return fmt.Errorf("it does not compile: %w\n%s", err, out)
	}
	return nil
}
