package migrate

import (
	"fmt"
	"path"
	"strings"
)

// Fate says what becomes of an option of keepalived's command line.
type Fate uint8

// The fates of an option.
const (
	Pointless Fate = iota // standfast does as much without it, or has nothing that it could change
	Carried               // standfast is started with its like
	Ends                  // what it gave is gone: somebody may miss it
	Refused               // with it there is no migrating
)

// String returns the word for a fate on the page.
func (f Fate) String() string {
	switch f {
	case Pointless:
		return "not needed"
	case Carried:
		return "carried over"
	case Ends:
		return "ends"
	case Refused:
		return "in the way"
	}
	return fmt.Sprintf("Fate(%d)", uint8(f))
}

// Option is one option of keepalived's command line and what becomes of it.
type Option struct {
	Text    string // as written, its argument included
	Fate    Fate
	Because string
}

// argument says whether an option takes one.
type argument uint8

const (
	bare     argument = iota
	taking            // -f FILE, --use-file FILE, --use-file=FILE
	optional          // -MPATTERN, --core-dump-pattern=PATTERN
)

// known is an option that some release of keepalived has.
type known struct {
	short   byte // 0 for none
	long    string
	takes   argument
	fate    Fate
	because string
}

const (
	noDaemon  = "with it keepalived does not serve: it prints something and ends"
	noPIDFile = "standfast writes no pid file; who reads this one asks systemctl show -p MainPID standfast"
	noDebug   = "it is about finding errors in keepalived itself"
)

// options is what keepalived's releases from 1.3 to 2.4 understand.
var options = [...]known{
	{'f', "use-file", taking, Carried, "standfast is started with -f"},
	{'P', "vrrp", bare, Pointless, "standfast does VRRP and nothing else"},
	{'C', "check", bare, Refused, "keepalived does not do VRRP on this host, so there is nothing to take over; leave it as it is"},
	{'B', "no_bfd", bare, Pointless, "standfast has no BFD"},
	{0, "all", bare, Pointless, "standfast has one process for each task, always"},
	{'l', "log-console", bare, Pointless, "standfast writes to its standard error, which systemd puts into the journal"},
	{'D', "log-detail", bare, Pointless, "standfast always logs each transition with its reason; --log-level debug in OPTIONS says more"},
	{'S', "log-facility", taking, Ends, "standfast logs to the journal: a syslog rule for this facility has to ask for the program standfast instead"},
	{'G', "no-syslog", bare, Pointless, "standfast writes to its standard error only"},
	{'g', "log-file", optional, Ends, "standfast logs to the journal only: journalctl -u standfast"},
	{0, "flush-log-file", bare, Pointless, "standfast writes no log file"},
	{'u', "umask", taking, Pointless, "standfast writes no dump files"},
	{'X', "release-vips", bare, Pointless, "standfast always gives its addresses back when it stops"},
	{'V', "dont-release-vrrp", bare, Refused, "keepalived leaves its addresses in the kernel when it stops, and two routers would answer for them; " +
		"remove the option, systemctl restart keepalived, and come back"},
	{'I', "dont-release-ipvs", bare, Pointless, "standfast has no IPVS"},
	{'R', "dont-respawn", bare, Pointless, "systemd starts standfast again; Restart= in a drop-in of its unit decides"},
	{'n', "dont-fork", bare, Pointless, "standfast never forks into the background"},
	{'d', "dump-conf", bare, Pointless, "standfast check says how the file is read, standfast status --json what runs"},
	{'p', "pid", taking, Ends, noPIDFile},
	{'r', "vrrp_pid", taking, Ends, noPIDFile},
	{'c', "checkers_pid", taking, Pointless, "standfast has no checkers"},
	{'b', "bfd_pid", taking, Pointless, "standfast has no BFD"},
	{'T', "genhash", bare, Refused, noDaemon},
	{'a', "address-monitoring", bare, Pointless, "standfast logs what others do to its addresses"},
	{'x', "snmp", bare, Ends, "standfast has no SNMP: what watches keepalived by it goes dark; standfast status --json has more"},
	{'A', "snmp-agent-socket", taking, Pointless, "standfast has no SNMP"},
	{'s', "namespace", taking, Refused, "the ports are in another network namespace, which standfast does not enter by itself; " +
		"give standfast's unit NetworkNamespacePath= and move to it by hand"},
	{'m', "core-dump", bare, Pointless, "standfast prints where it failed; LimitCORE= in a drop-in of its unit allows more"},
	{'M', "core-dump-pattern", optional, Pointless, "the pattern is the host's; set kernel.core_pattern in /etc/sysctl.d"},
	{'e', "all-config", bare, Pointless, "standfast check names what an include line does not find"},
	{'i', "config-id", taking, Pointless, "standfast reads no lines that begin with @, and refuses a file that has some"},
	{'v', "version", bare, Refused, noDaemon},
	{'h', "help", bare, Refused, noDaemon},
	{'t', "config-test", optional, Refused, noDaemon},
	{0, "signum", taking, Refused, noDaemon},
	{0, "perf", optional, Pointless, noDebug},
	{0, "debug", optional, Pointless, noDebug},
	{0, "no-mem-check", bare, Pointless, noDebug},
	{0, "mem-check-log", bare, Pointless, noDebug},
	{0, "ignore-sigint", bare, Pointless, "standfast stops at SIGINT; systemd sends SIGTERM"},
}

// usage is what a command line of keepalived asks for.
type usage struct {
	options    []Option
	file       string // the configuration, absolute
	vrrpOnly   bool   // -P: keepalived does not balance, whatever the file says
	checksOnly bool   // -C: it balances, and does no VRRP
}

// defaultFile is what keepalived reads unless it is told otherwise.
const defaultFile = "/etc/keepalived/keepalived.conf"

// understood reads keepalived's command line, program name apart, as getopt_long does.
func understood(args []string) usage {
	u := usage{file: defaultFile}
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		switch {
		case word == "--":
			for _, rest := range args {
				u.stray(rest)
			}
			return u
		case strings.HasPrefix(word, "--"):
			args = u.long(word, args)
		case len(word) > 1 && word[0] == '-':
			args = u.cluster(word, args)
		default:
			u.stray(word)
		}
	}
	return u
}

// long takes --name, --name=VALUE or --name VALUE. A name may be cut short while it is clear which is meant.
func (u *usage) long(word string, rest []string) []string {
	name, value, given := strings.Cut(word[2:], "=")
	var match []known
	for _, o := range options {
		if o.long == name {
			match = []known{o}
			break
		}
		if strings.HasPrefix(o.long, name) {
			match = append(match, o)
		}
	}
	if len(match) != 1 {
		u.stray(word)
		return rest
	}
	if match[0].takes == taking && !given && len(rest) > 0 {
		value, word, rest = rest[0], word+" "+rest[0], rest[1:]
	}
	u.take(match[0], word, value)
	return rest
}

// cluster takes -D, -Dn, -fFILE or -f FILE.
func (u *usage) cluster(word string, rest []string) []string {
	for at := 1; at < len(word); at++ {
		o, ok := byLetter(word[at])
		if !ok {
			u.stray("-" + word[at:at+1])
			continue
		}
		tail, written := word[at+1:], "-"+word[at:at+1]
		switch {
		case o.takes == bare:
			u.take(o, written, "")
			continue
		case o.takes == taking && tail == "" && len(rest) > 0:
			tail, rest = rest[0], rest[1:]
		}
		u.take(o, strings.TrimSpace(written+" "+tail), tail)
		break
	}
	return rest
}

func byLetter(letter byte) (known, bool) {
	for _, o := range options {
		if o.short == letter {
			return o, true
		}
	}
	return known{}, false
}

// take notes an option and what it asks for.
func (u *usage) take(o known, written, value string) {
	switch {
	case o.short == 'P':
		u.vrrpOnly = true
	case o.short == 'C':
		u.checksOnly = true
	case o.short == 'f' && value == "":
		o.fate, o.because = Refused, "it lacks its file, so keepalived does not start either"
	case o.short == 'f' && strings.ContainsAny(value, "*?[{%$ \t'\"\\"):
		o.fate, o.because = Refused, "standfast takes the plain name of one file; write one that has: include "+value
	case o.short == 'f':
		u.file = path.Clean("/" + value)
	}
	u.options = append(u.options, Option{written, o.fate, o.because})
}

// stray notes a word that keepalived does not understand either.
func (u *usage) stray(word string) {
	u.options = append(u.options, Option{word, Refused, "no release of keepalived that is known here has it; remove it, or say what it is for"})
}
