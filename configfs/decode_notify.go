package configfs

import (
	"fmt"
	"strconv"
	"strings"
)

// notify reads a notify keyword of an instance or a group.
func (d *decoder) notify(s *statement, n *Notify) {
	w := s.first()
	if s.block {
		d.arity(s, 1, 3)
		return
	}
	args, err := splitQuoted(s.raw.raw)
	if err != nil {
		d.error(w.pos, "", "%s: %v", w.text, err)
		return
	}
	if len(args) < 2 {
		d.error(w.pos, `write: `+w.text+` "COMMAND ARGUMENT…"`, "%s lacks its command", w.text)
		return
	}
	if len(args) > 2 {
		d.hazard(s.args()[min(1, len(s.args())-1)].pos, "quote command and arguments together if the rest are arguments",
			"what follows the command of %s is the user to run it as, which standfast does not yet change", w.text)
	}
	argv, err := splitQuoted(args[1])
	if err != nil || len(argv) == 0 || argv[0] == "" {
		d.error(w.pos, "", "%s has no command that can be split into arguments", w.text)
		return
	}
	*n.of(w.text) = Script{Argv: argv, Pos: w.pos}
}

// of returns the script a keyword sets.
func (n *Notify) of(keyword string) *Script {
	switch keyword {
	case "notify_master":
		return &n.Master
	case "notify_backup":
		return &n.Backup
	case "notify_fault":
		return &n.Fault
	case "notify_stop":
		return &n.Stop
	}
	return &n.Any
}

// splitQuoted splits a command as keepalived does: '…' and "…" hold blanks, and escapes count inside and outside of
// both. A command is split twice, once as the argument of its keyword and once into its own arguments.
func splitQuoted(command string) ([]string, error) {
	var all []string
	var b strings.Builder
	var quote byte
	inside := false // of a word
	for i := 0; i < len(command); {
		ch := command[i]
		switch {
		case ch == '\\' && i+1 < len(command):
			r, n := unescape(command[i+1:])
			b.WriteByte(r)
			inside = true
			i += 1 + n
			continue
		case quote != 0 && ch == quote:
			quote = 0
		case quote != 0:
			b.WriteByte(ch)
		case ch == '"' || ch == '\'':
			quote, inside = ch, true
		case isBlank(ch):
			if inside {
				all = append(all, b.String())
			}
			b.Reset()
			inside = false
		default:
			b.WriteByte(ch)
			inside = true
		}
		i++
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote %c has no partner", quote)
	}
	if inside {
		all = append(all, b.String())
	}
	return all, nil
}

// unescape reads what follows a backslash, and returns the byte it stands for and how many bytes it took.
func unescape(s string) (byte, int) {
	const letters, meanings = "abEfnrtv", "\a\b\x1b\f\n\r\t\v"
	if i := strings.IndexByte(letters, s[0]); i >= 0 {
		return meanings[i], 1
	}
	switch {
	case s[0] == 'c' && len(s) > 1:
		return s[1] & 0x1f, 2
	case s[0] == 'x':
		if n, v := digits(s[1:], 2, 16); n > 0 {
			return v, 1 + n
		}
	case s[0] >= '0' && s[0] <= '7':
		n, v := digits(s, 3, 8)
		return v, n
	}
	return s[0], 1
}

// digits reads up to most digits of a base, and returns how many there were and the byte they stand for.
func digits(s string, most, base int) (int, byte) {
	for n := min(most, len(s)); n > 0; n-- {
		if v, err := strconv.ParseUint(s[:n], base, 16); err == nil && s[0] != '+' && s[0] != '-' {
			return n, byte(v)
		}
	}
	return 0, 0
}
