package migrate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUnderstood reads command lines as getopt_long does.
func TestUnderstood(t *testing.T) {
	for _, test := range []struct {
		line  string
		texts string // each option as written, with its fate
		file  string
		only  bool
	}{
		{"", "", defaultFile, false},
		{"-D", "-D=not needed", defaultFile, false},
		{"-DPn", "-D=not needed -P=not needed -n=not needed", defaultFile, true},
		{"-f /a.conf", "-f /a.conf=carried over", "/a.conf", false},
		{"-f/a.conf -f a/../b.conf", "-f /a.conf=carried over -f a/../b.conf=carried over", "/b.conf", false},
		{"--use-file=/a.conf", "--use-file=/a.conf=carried over", "/a.conf", false},
		{"--use-f /a.conf --vrrp", "--use-f /a.conf=carried over --vrrp=not needed", "/a.conf", true},
		{"-f /etc/*.conf", "-f /etc/*.conf=in the way", defaultFile, false},
		{"-f", "-f=in the way", defaultFile, false},
		{"-Dp /x.pid -M -Mcore.%p -x", "-D=not needed -p /x.pid=ends -M=not needed -M core.%p=not needed -x=ends", defaultFile, false},
		{"-V", "-V=in the way", defaultFile, false},
		{"-C", "-C=in the way", defaultFile, false},
		{"--dont=1", "--dont=1=in the way", defaultFile, false},
		{"-Z --nonsense stray -- -D", "-Z=in the way --nonsense=in the way stray=in the way -D=in the way", defaultFile, false},
	} {
		t.Run(test.line, func(t *testing.T) {
			u := understood(strings.Fields(test.line))
			var texts []string
			for _, o := range u.options {
				texts = append(texts, o.Text+"="+o.Fate.String())
				if o.Because == "" {
					t.Errorf("%s has no reason", o.Text)
				}
			}
			if got := strings.Join(texts, " "); got != test.texts || u.file != test.file || u.vrrpOnly != test.only {
				t.Errorf("%s, file %s, vrrp only %t", got, u.file, u.vrrpOnly)
			}
		})
	}
}

// TestEveryOptionHasAFate: what keepalived 2.4 lists under --help and in its man page, by letter and by name.
func TestEveryOptionHasAFate(t *testing.T) {
	for _, letter := range "fPCBlDSGguXVIRndprTcabxAsmMeivht" {
		if _, ok := byLetter(byte(letter)); !ok {
			t.Errorf("-%c is not known", letter)
		}
	}
	letters := map[byte]bool{}
	for _, o := range options {
		if o.short != 0 && letters[o.short] {
			t.Errorf("-%c is there twice", o.short)
		}
		letters[o.short] = true
		u := usage{}
		u.long("--"+o.long, []string{"/value"})
		if len(u.options) != 1 || !strings.HasPrefix(u.options[0].Text, "--"+o.long) || u.options[0].Because == "" {
			t.Errorf("--%s: %+v", o.long, u.options)
		}
	}
}

// TestLaunched fills in the variables of a unit as systemd does.
func TestLaunched(t *testing.T) {
	for _, test := range []struct {
		name, unit string
		want       []string
	}{
		{"a word becomes several", "ExecStart=/k $O", []string{"/k", "-a", "b c"}},
		{"a part stays in its word", "ExecStart=/k x${P}y", []string{"/k", "x1y"}},
		{"nothing is nothing", "ExecStart=/k $NONE -n", []string{"/k", "-n"}},
		{"the file counts over the unit", "Environment=P=2 \"O=x y\"\nExecStart=/k ${P} $O", []string{"/k", "1", "-a", "b c"}},
		{"the last command counts", "ExecStart=/a\nExecStart=\nExecStart=-/k \\\n  -n", []string{"/k", "-n"}},
		{"a name of its own", "ExecStart=@/k other -n", []string{"/k", "-n"}},
		{"no command", "Type=notify", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := debian()
			m.file("/env", "# O=no\n; P=no\nP=1\nO=\"-a 'b c'\"\n")
			m.file("/u", "[Service]\nEnvironmentFile=/env\nEnvironmentFile=-/nowhere\nEnvironmentFile=/gone\n"+test.unit+"\n[Install]\nExecStart=/no\n")
			l := launched(m.files, settings(m.files, Unit{Fragment: "/u"}))
			if diff := cmp.Diff(test.want, l.words); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"/gone"}, l.missing); diff != "" {
				t.Error(diff)
			}
		})
	}
}
