package disk

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// recordAs has TestRecord write what Find and a Sensor read on this host:
//
//	go test ./hw/disk -run TestRecord -record NAME -record.paths /,/var
var (
	recordAs     = flag.String("record", "", "write testdata/`NAME`.tree from this host")
	recordKernel = flag.Bool("record.kernel", false, "write testdata/loop-*.tree from the disks of the tests")
	recordPaths  = flag.String("record.paths", "/,/var", "what is looked for")
)

// loadTree reads a tree of /proc and /sys from testdata. A line "== NAME" begins a file, whose lines follow; "NAME -> TARGET" is a
// symbolic link, "NAME/" an empty folder; what comes before the first of these is comment, and says whether the tree was recorded
// or constructed.
func loadTree(t testing.TB, name string) fstest.MapFS {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".tree")
	if err != nil {
		t.Fatal(err)
	}
	return parseTree(string(text))
}

func parseTree(text string) fstest.MapFS {
	tree := fstest.MapFS{}
	var file *fstest.MapFile
	for line := range strings.Lines(text) {
		name, isFile := strings.CutPrefix(strings.TrimSpace(line), "== ")
		link, target, isLink := strings.Cut(name, " -> ")
		switch {
		case isFile && isLink:
			tree[link], file = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}, nil
		case isFile && strings.HasSuffix(name, "/"):
			tree[strings.TrimSuffix(name, "/")], file = &fstest.MapFile{Mode: fs.ModeDir | 0o755}, nil
		case isFile:
			file = &fstest.MapFile{Mode: 0o444}
			tree[name] = file
		case file != nil:
			file.Data = append(file.Data, line...)
		}
	}
	return tree
}

// A spy passes on what is asked of a tree and remembers the answers.
type spy struct {
	tree fs.FS
	seen map[string]string
}

func (s spy) Open(name string) (fs.File, error) { return s.tree.Open(name) }

func (s spy) ReadFile(name string) ([]byte, error) {
	text, err := fs.ReadFile(s.tree, name)
	if err == nil {
		s.seen[s.real(name)] = string(text)
	}
	return text, err
}

func (s spy) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(s.tree, name) }

func (s spy) ReadLink(name string) (string, error) {
	target, err := fs.ReadLink(s.tree, name)
	if err == nil {
		s.seen[s.real(path.Dir(name))+"/"+path.Base(name)+" -> "+target] = ""
	}
	return target, err
}

func (s spy) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(s.tree, name)
	if err == nil && !info.IsDir() {
		_, _ = s.ReadFile(name)
	}
	return info, err
}

func (s spy) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(s.tree, name)
	if err == nil && len(entries) == 0 {
		s.seen[s.real(name)+"/"] = ""
	}
	for _, e := range entries {
		if e.Type()&fs.ModeSymlink != 0 {
			_, _ = s.ReadLink(name + "/" + e.Name())
		}
	}
	return entries, err
}

// real is the name of a file without links, each of which it remembers.
func (s spy) real(name string) string {
	done := ""
	for first := range strings.SplitSeq(name, "/") {
		next := path.Join(done, first)
		if target, err := fs.ReadLink(s.tree, next); err == nil {
			s.seen[next+" -> "+target] = ""
			next = strings.TrimPrefix(path.Join("/", done, target), "/")
			if path.IsAbs(target) {
				next = strings.TrimPrefix(target, "/")
			}
			next = s.real(next)
		}
		done = next
	}
	return done
}

func (s spy) write(comment string) []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, comment)
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range s.seen {
			if !yield(n) {
				return
			}
		}
	}) {
		fmt.Fprintf(&b, "== %s\n%s", name, s.seen[name])
	}
	return b.Bytes()
}

func TestRecord(t *testing.T) {
	if *recordAs == "" {
		t.Skip("records this host's tree into testdata; run with -record NAME")
	}
	s := spy{os.DirFS("/"), map[string]string{}}
	paths := strings.Split(*recordPaths, ",")
	volumes, _, err := FindIn(s, paths)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range volumes {
		openSensor(s, v).Read()
	}
	record(t, s, *recordAs, fmt.Sprintf("go test ./hw/disk -run TestRecord -record %s -record.paths %s", *recordAs, *recordPaths))
}

// record writes what a spy has seen, with the kernel and the command that show it.
func record(t *testing.T, s spy, name, command string) {
	t.Helper()
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(release)), "-")
	if err := os.WriteFile("testdata/"+name+".tree", s.write(fmt.Sprintf("recorded: Linux %s; %s", version, command)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestTreesSayWhereTheyComeFrom: a tree that was made up must not pass for one that was seen.
func TestTreesSayWhereTheyComeFrom(t *testing.T) {
	trees, err := fs.Glob(os.DirFS("testdata"), "*.tree")
	if err != nil || len(trees) == 0 {
		t.Fatalf("no trees: %v", err)
	}
	for _, name := range trees {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(text, []byte("recorded: ")) && !bytes.HasPrefix(text, []byte("constructed: ")) {
			t.Errorf("%s is neither recorded nor constructed", name)
		}
	}
}

func TestResolve(t *testing.T) {
	root := t.TempDir()
	for _, folder := range []string{"a/b/file", "new"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"c": "a", "abs": "/a/b", "up": "../../a", "loop": "loop", "a/down": "b/file", "chain": "c/b",
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	tree := os.DirFS(root)
	for name, want := range map[string]string{
		"/": "", "/a/b": "a/b", "/c/b/file": "a/b/file", "/abs/file": "a/b/file", "/up/b": "a/b", "/c/down": "a/b/file",
		"/chain/file": "a/b/file", "/nothing/at/../all": "nothing/all", "/c/later/file": "a/later/file", "/loop/x": "loop/x",
		"/../a": "a", "//a//b/": "a/b",
	} {
		if got := resolve(tree, name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if _, ok := follow(tree, "/c/nothing"); ok {
		t.Error("nothing is there")
	}
}
