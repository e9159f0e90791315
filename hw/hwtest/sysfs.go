package hwtest

import (
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

//go:embed testdata/sysfs
var trees embed.FS

// Trees lists the pieces of /sys that [UnpackSysfs] knows. A name that ends with "recorded" was taken from
// a machine, one that ends with "constructed" was written by hand from what the kernel's sources say that
// such a card shows; the first lines of each file tell more.
func Trees() ([]string, error) {
	files, err := trees.ReadDir("testdata/sysfs")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".txt"))
	}
	return names, nil
}

// UnpackSysfs lays a piece of /sys out in a directory, which a test may change as the kernel would.
func UnpackSysfs(dir, name string) error {
	text, err := trees.ReadFile("testdata/sysfs/" + name + ".txt")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if err := unpackLine(dir, line); err != nil {
			return fmt.Errorf("%s: %q: %w", name, line, err)
		}
	}
	return nil
}

// unpackLine makes one entry: "path -> target" is a symbolic link, "path = text" an attribute with a
// newline after it or, in quotation marks, without, "path : hex" one of bytes, and "path" a directory.
func unpackLine(dir, line string) error {
	if path, target, ok := strings.Cut(line, " -> "); ok {
		return place(dir, path, func(file string) error { return os.Symlink(target, file) })
	}
	if path, text, ok := strings.Cut(line, " = "); ok {
		content := text + "\n"
		if strings.HasPrefix(text, `"`) {
			quoted, err := strconv.Unquote(text)
			if err != nil {
				return err
			}
			content = quoted
		}
		return place(dir, path, func(file string) error { return os.WriteFile(file, []byte(content), 0o644) })
	}
	if path, digits, ok := strings.Cut(line, " : "); ok {
		content, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		if err != nil {
			return err
		}
		return place(dir, path, func(file string) error { return os.WriteFile(file, content, 0o644) })
	}
	return os.MkdirAll(filepath.Join(dir, line), 0o755)
}

func place(dir, path string, make func(file string) error) error {
	file := filepath.Join(dir, path)
	if !filepath.IsLocal(path) {
		return errors.New("leaves the directory")
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return make(file)
}
