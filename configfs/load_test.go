package configfs

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

const mainFile = "/etc/standfast/standfast.conf"

// section matches the line that begins another part of a fixture: a further file, or what is expected.
var section = regexp.MustCompile(`(?m)^-- (\S+) --\n`)

// fixture splits a file of testdata. It begins with the main configuration; "-- /path --" begins another file of the
// file system, "-- says --" the expected complaints and "-- means --" the configuration in canonical form, which is
// there when no complaint is an error.
func fixture(content string) (input string, fsys fstest.MapFS, says, means string) {
	fsys = fstest.MapFS{}
	marks := section.FindAllStringSubmatchIndex(content, -1)
	name, begin := mainFile, 0
	for _, m := range append(marks, []int{len(content), len(content), 0, 0}) {
		part := content[begin:m[0]]
		switch name {
		case "says":
			says = part
		case "means":
			means = part
		default:
			input = content[:m[0]]
			fsys[name[1:]] = &fstest.MapFile{Data: []byte(part), Mode: 0o644}
		}
		if m[0] < len(content) {
			name, begin = content[m[2]:m[3]], m[1]
		}
	}
	return input, fsys, says, means
}

func TestFixtures(t *testing.T) {
	files, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".conf"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, fsys, says, means := fixture(string(content))
			config, complaints := Load(fsys, mainFile)
			gotSays, gotMeans := complaints.String(), ""
			if complaints.Err() == nil {
				gotMeans = canonical(config)
			}
			if *update {
				all := input + "-- says --\n" + gotSays
				if gotMeans != "" {
					all += "-- means --\n" + gotMeans
				}
				if err := os.WriteFile(file, []byte(all), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(says, gotSays); diff != "" {
				t.Errorf("complaints (-want +got), rewritten by -update:\n%s", diff)
			}
			if diff := cmp.Diff(means, gotMeans); diff != "" {
				t.Errorf("meaning (-want +got), rewritten by -update:\n%s", diff)
			}
			if gotMeans != "" {
				roundTrip(t, config)
			}
		})
	}
}

// roundTrip checks that the canonical form says the same and gives no cause for a complaint that is an error. Where blocks of keepalived's other half
// stood it does not say.
func roundTrip(t *testing.T, config Config) {
	t.Helper()
	again, complaints := Load(oneFile(canonical(config)), mainFile)
	if err := complaints.Err(); err != nil {
		t.Fatalf("canonical form: %v\n%s", err, canonical(config))
	}
	same := []cmp.Option{cmpopts.IgnoreTypes(Position{}), cmpopts.IgnoreFields(Config{}, "Files", "Balancers"), cmpopts.EquateEmpty(),
		cmp.Comparer(func(a, b interface{ String() string }) bool { return a.String() == b.String() })}
	if diff := cmp.Diff(config, again, same...); diff != "" {
		t.Errorf("canonical form means something else (-file +canonical):\n%s", diff)
	}
}

func oneFile(content string) fstest.MapFS {
	return fstest.MapFS{mainFile[1:]: {Data: []byte(content), Mode: 0o644}}
}

func TestStory(t *testing.T) {
	config, complaints := Load(oneFile(string(Story("RTR-CORE-B", 50))), mainFile)
	if worst, _ := complaints.Worst(); worst != Note {
		t.Errorf("the story is to be free of complaints:\n%v", complaints)
	}
	if got := config.Global.RouterID; got != "RTR-CORE-B" {
		t.Errorf("router_id %q", got)
	}
	if got := config.Instances[0].Priority; got != 50 {
		t.Errorf("priority %d", got)
	}
	if got, want := config.Instances[0].Interface.Pos.String(), mainFile+":14:15"; got != want {
		t.Errorf("interface is written at %s, want %s", got, want)
	}
}

func TestLoadNames(t *testing.T) {
	fsys := oneFile(string(Story("A", 100)))
	for _, name := range []string{mainFile, mainFile[1:], "/etc/../etc/standfast//standfast.conf"} {
		config, complaints := Load(fsys, name)
		if err := complaints.Err(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff([]string{mainFile}, config.Files); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// denied is a file system in which one file cannot be opened.
type denied struct{ fs.FS }

func (d denied) Open(name string) (fs.File, error) {
	if name == mainFile[1:] {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return d.FS.Open(name)
}

func TestLoadUnreadable(t *testing.T) {
	for _, test := range []struct {
		name string
		fsys fs.FS
		file string
		want error
		says string
	}{
		{"missing", fstest.MapFS{}, mainFile, fs.ErrNotExist, "cannot be read: file does not exist"},
		{"forbidden", denied{oneFile("")}, mainFile, fs.ErrPermission, "cannot be read: permission denied"},
		{"directory", oneFile(""), "/etc", nil, "it is not a regular file"},
		{"root", oneFile(""), "/", nil, "it is not a regular file"},
		{"fifo", fstest.MapFS{"f": {Mode: fs.ModeNamedPipe | 0o644}}, "/f", nil, "it is not a regular file"},
		{"large", fstest.MapFS{"f": {Data: make([]byte, maxFileSize+1), Mode: 0o644}}, "/f", nil, "larger than 4 MiB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, complaints := Load(test.fsys, test.file)
			err := complaints.Err()
			if len(complaints) != 1 || err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got %v, want one complaint that says %q", complaints, test.says)
			}
			if test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("%v is not %v", err, test.want)
			}
			if strings.Contains(err.Error(), ":0") {
				t.Errorf("a file that cannot be read has no lines: %v", err)
			}
		})
	}
}

// TestCorpus reads the sample configurations that keepalived publishes, where they are at hand.
func TestCorpus(t *testing.T) {
	const corpus = "../../shared/corpus/keepalived-samples"
	entries, err := os.ReadDir(corpus)
	if err != nil {
		t.Skipf("the samples of keepalived are not at hand: %v", err)
	}
	for _, entry := range entries {
		t.Run(entry.Name(), func(t *testing.T) {
			config, complaints := Load(os.DirFS(corpus), entry.Name())
			for _, c := range complaints {
				if strings.Contains(c.Text, "unknown word") || strings.Contains(c.Hint, "did you mean") {
					t.Errorf("what keepalived publishes is called a typo: %v", c)
				}
			}
			if complaints.Err() == nil {
				roundTrip(t, config)
			}
			t.Logf("%d instances, %d groups\n%v", len(config.Instances), len(config.Groups), complaints)
		})
	}
}
