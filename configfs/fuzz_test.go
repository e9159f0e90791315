package configfs

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// FuzzLoad reads any three files, which may include one another and themselves. Complaints must name places that exist, in
// order, each a sentence, and not many more than there are words to complain about; reading again must say the same; and
// what is free of errors must be a configuration that can run and that its canonical form says again.
func FuzzLoad(f *testing.F) {
	f.Add(string(Story("A", 100)), "priority 7\n", "include *.conf\nvirtual_ipaddress {\n")
	files, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(files) == 0 {
		f.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		_, fsys, _, _ := fixture(string(content))
		part := []string{mainFile[1:]}
		for name := range fsys {
			if name != mainFile[1:] {
				part = append(part, name)
			}
		}
		slices.Sort(part[1:])
		text := func(k int) string {
			if k < len(part) {
				return string(fsys[part[k]].Data)
			}
			return ""
		}
		f.Add(text(0), text(1), text(2))
	}
	f.Add("include {a,b}.conf\nincludea [ab].conf\n", "include b.conf\ninclude c.d/../a.conf\n", "include standfast.conf\n")
	f.Add("include {"+strings.Repeat(",", 300)+"}"+strings.Repeat("x", 300)+"\n", "", "")
	f.Fuzz(func(t *testing.T, main, a, b string) {
		content := map[string]string{mainFile: main, "/etc/standfast/a.conf": a, "/etc/standfast/b.conf": b}
		fsys := fstest.MapFS{}
		for name, text := range content {
			fsys[name[1:]] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
		}
		config, complaints := Load(fsys, mainFile)
		again, complaintsAgain := Load(fsys, mainFile)
		if said, saidAgain := complaints.String(), complaintsAgain.String(); said != saidAgain || !slices.Equal(config.Files, again.Files) {
			t.Fatalf("the first time it said\n%s\nthe second time\n%s", said, saidAgain)
		}
		checkFiles(t, config, content)
		checkComplaints(t, complaints, config, content)
		if complaints.Err() == nil {
			checkRunnable(t, config)
			roundTrip(t, config)
		}
	})
}

// checkFiles: only what is there was read, and not more of it than is allowed.
func checkFiles(t *testing.T, config Config, content map[string]string) {
	t.Helper()
	if len(config.Files) > maxFiles || len(config.Files) > 0 && config.Files[0] != mainFile {
		t.Fatalf("%d files were read, first %v", len(config.Files), config.Files[:1])
	}
	for _, name := range config.Files {
		if _, there := content[name]; !there {
			t.Fatalf("%s was read and does not exist", name)
		}
	}
}

// checkComplaints looks at every complaint.
func checkComplaints(t *testing.T, complaints Diagnostics, config Config, content map[string]string) {
	t.Helper()
	size := 0
	for _, name := range config.Files { // as often as it was read
		size += len(content[name])
	}
	said := 0
	for k, c := range complaints {
		said += len(c.Text) + len(c.Hint)
		if k > 0 {
			if p := complaints[k-1]; p.File > c.File || p.File == c.File && (p.Line > c.Line || p.Line == c.Line && p.Column > c.Column) {
				t.Fatalf("%v comes before %v", p, c)
			}
		}
		if c.Text == "" || strings.ContainsRune(c.Text, '\n') || strings.ContainsRune(c.Hint, '\n') {
			t.Fatalf("no sentence: %q", c.Text)
		}
		lines := strings.SplitAfter(content[c.File], "\n")
		switch {
		case c.Line == 0 && slices.Contains(config.Files, c.File):
		case c.Line < 1 || c.Line > len(lines) || c.Column < 1 || c.Column > len(lines[c.Line-1])+1:
			t.Fatalf("there is no such place: %v", c)
		}
	}
	if most := 1000 + 60*size + 300*len(config.Files); said > 100*most || len(complaints) > most {
		t.Fatalf("%d complaints, %d bytes of them, about %d bytes in %d files", len(complaints), said, size, len(config.Files))
	}
}

// checkRunnable wants everything that the fields of a Config promise.
func checkRunnable(t *testing.T, c Config) {
	t.Helper()
	var names []string
	for _, i := range c.Instances {
		names = append(names, i.Name)
		if wrong := i.wrong(); wrong != "" {
			t.Fatalf("instance %s: %s: %+v", i.Name, wrong, i)
		}
	}
	if len(names) == 0 || len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
		t.Fatalf("instances %q", names)
	}
	taken := map[string]bool{}
	for _, g := range c.Groups {
		for _, m := range g.Members {
			if !slices.Contains(names, m.Name) || taken[m.Name] {
				t.Fatalf("group %s has the member %s", g.Name, m.Name)
			}
			taken[m.Name] = true
		}
	}
}

// wrong says which promise an instance breaks.
func (i Instance) wrong() string {
	step, most := 10*time.Millisecond, 40950*time.Millisecond
	if i.Version == 2 {
		step, most = time.Second, 255*time.Second
	}
	for _, check := range []struct {
		ok   bool
		what string
	}{
		{port(i.Interface.Name), "interface"},
		{i.VRID > 0, "virtual_router_id"},
		{i.Family == 4 || i.Family == 6 && i.Version == 3, "family"},
		{i.Version == 2 || i.Version == 3, "version"},
		{!i.Source.IsValid() || i.Source.Is4() == (i.Family == 4), "mcast_src_ip"},
		{i.Priority > 0, "priority"},
		{i.Interval >= step && i.Interval <= most && i.Interval%step == 0, "advert_int"},
		{i.PreemptDelay >= 0 && i.PreemptDelay <= 1000*time.Second, "preempt_delay"},
		{i.DownAdverts >= 1 && i.DownAdverts <= 100, "down_timer_adverts"},
		{!i.AuthPass || i.Version == 2, "authentication"},
		{len(i.Addresses) >= 1 && len(i.Addresses) <= 255, "number of addresses"},
		{i.Fault.Rounds >= 0 && i.Fault.Rounds <= 10 && i.Fault.Wait >= 0 && i.Fault.Wait <= time.Second, "fault_probe"},
		{i.Lease.Fixed >= 0 && i.Lease.Fixed <= maxLease && i.Lease.Fixed%time.Second == 0, "vip_lease"},
		{i.Garp.Repeat > 0 && i.Garp.RefreshRepeat > 0 && i.Garp.Delay >= 0 && i.Garp.Refresh >= 0, "garp"},
	} {
		if !check.ok {
			return check.what
		}
	}
	return i.wrongLines()
}

// wrongLines says which line of a list breaks a promise.
func (i Instance) wrongLines() string {
	for _, a := range slices.Concat(i.Addresses, i.Excluded) {
		if !a.Prefix.IsValid() || a.Prefix.Addr().IsMulticast() || a.Prefix.Addr().IsUnspecified() || !port(a.Dev.Name) || len(a.Label) > 15 {
			return fmt.Sprintf("address %+v", a)
		}
	}
	for _, a := range i.Addresses {
		if a.Prefix.Addr().Is4() != (i.Family == 4) {
			return fmt.Sprintf("family of %+v", a)
		}
	}
	for _, r := range i.Routes {
		if !r.Dst.IsValid() || r.Dst != r.Dst.Masked() || r.Via.IsValid() && r.Via.Is4() != r.Dst.Addr().Is4() || r.Dev.Name != "" && !port(r.Dev.Name) ||
			r.Dev.Name == "" && !r.Via.IsValid() {
			return fmt.Sprintf("route %+v", r)
		}
	}
	for _, p := range i.Tracks {
		if !port(p.Name) {
			return fmt.Sprintf("tracked %+v", p)
		}
	}
	for _, w := range i.Fault.Witnesses {
		if !w.Address.IsValid() || w.Dev.Name != "" && !port(w.Dev.Name) {
			return fmt.Sprintf("witness %+v", w)
		}
	}
	return ""
}

// port says whether the kernel can have an interface of that name.
func port(name string) bool {
	return name != "" && len(name) <= 15 && name != "." && name != ".." && !strings.ContainsAny(name, "/ \t\n\v\f\r\x00")
}

// TestIncludeAllocations: an include line that stands for very many files, or for very long names, costs no more than the files
// that may be read.
func TestIncludeAllocations(t *testing.T) {
	for name, line := range map[string]string{
		"a million choices":       "include x{" + strings.Repeat(",", 1<<20) + "}" + strings.Repeat("y", 1000),
		"choices of choices":      "include " + strings.Repeat("{a,b,c,d}", 400),
		"a thousand of a million": "include {" + strings.Repeat(",", 999) + "}" + strings.Repeat("y", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			fsys := oneFile(line + "\n")
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, complaints := Load(fsys, mainFile)
			runtime.ReadMemStats(&after)
			if got, most := after.TotalAlloc-before.TotalAlloc, uint64(64*len(line)+8<<20); got > most {
				t.Errorf("%d bytes allocated for a line of %d, want at most %d", got, len(line), most)
			}
			if complaints.Err() == nil {
				t.Error("nothing was complained about")
			}
		})
	}
}
