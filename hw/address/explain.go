package address

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// refusal is a change that the kernel or we refused: one sentence for the
// operator, and what it is for errors.Is.
type refusal struct {
	text string
	is   []error
}

func (r *refusal) Error() string   { return r.text }
func (r *refusal) Unwrap() []error { return r.is }

// explain makes a sentence of a failed change: what was tried, why it failed,
// what to do, and the kernel's own words where it gave any.
func explain(verb, object string, a netip.Addr, err error) error {
	r := &refusal{is: []error{err}}
	if errors.Is(err, unix.ENODEV) {
		r.is = append(r.is, fs.ErrNotExist)
	}
	var op *netlink.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	reason := remedy(a, err)
	if reason == "" {
		reason = err.Error()
	}
	r.text = fmt.Sprintf("cannot %s %s: %s", verb, object, reason)
	if op != nil && op.Message != "" {
		r.text += fmt.Sprintf(" (kernel: %s)", strings.TrimSuffix(op.Message, "."))
	}
	return r
}

// remedy words the errors that have a known cause; "" for any other.
func remedy(a netip.Addr, err error) string {
	switch {
	case errors.Is(err, unix.EPERM):
		return "not permitted; run as root or grant CAP_NET_ADMIN in this network namespace"
	case errors.Is(err, unix.EACCES) && a.Is6():
		return "IPv6 is disabled on this port; set net.ipv6.conf.PORT.disable_ipv6 to 0"
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EAFNOSUPPORT):
		return "this kernel has no support for the address family; load or enable it"
	case errors.Is(err, unix.ENODEV):
		return "the port does not exist (any more)"
	case errors.Is(err, unix.ENETDOWN):
		return "the port is down; set it up first"
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH):
		return "the port has no address in the gateway's subnet, or that port is gone; add such an address first"
	case errors.Is(err, unix.ESRCH):
		return "the kernel knows no such route or table"
	case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
		return "the kernel is out of memory"
	}
	return ""
}

// String names the VIP for logs and errors.
func (v VIP) String() string {
	return fmt.Sprintf("%v on port index %d", v.Prefix, v.Index)
}

// String names the route for logs and errors, in the words of ip(8).
func (r Route) String() string {
	r = r.Normal()
	text := fmt.Sprintf("route %v", r.Dst)
	if r.Via.IsValid() {
		text += fmt.Sprintf(" via %v", r.Via)
	}
	if r.Index != 0 {
		text += fmt.Sprintf(" by port index %d", r.Index)
	}
	return text + fmt.Sprintf(" table %d", r.Table)
}

// validate refuses what the kernel would refuse without a reason, or misread.
func (v VIP) validate() error {
	a := v.Prefix.Addr()
	switch {
	case !v.Prefix.IsValid() || a.Is4In6() || a.Zone() != "":
		return invalid("it is no address with a prefix length")
	case v.Index <= 0:
		return invalid("the port is not known")
	case len(v.Label) > maxLabel:
		return invalid("the label %q is longer than %d bytes", v.Label, maxLabel)
	case v.Label != "" && a.Is6():
		return invalid("only IPv4 addresses can have a label")
	case v.Broadcast.IsValid() && !(a.Is4() && v.Broadcast.Is4()):
		return invalid("only IPv4 addresses can have a broadcast address, which is %v", v.Broadcast)
	}
	return nil
}

func (r Route) validate() error {
	d := r.Dst.Addr()
	switch {
	case !r.Dst.IsValid() || d.Is4In6() || d.Zone() != "":
		return invalid("it has no destination")
	case r.Index < 0 || (r.Index == 0 && !r.Via.IsValid()):
		return invalid("it has neither a gateway nor a port")
	case r.Via.IsValid() && (r.Via.Is4() != d.Is4() || r.Via.Is4In6()):
		return invalid("the gateway %v is of another address family", r.Via)
	case r.Src.IsValid() && (r.Src.Is4() != d.Is4() || r.Src.Is4In6()):
		return invalid("the source %v is of another address family", r.Src)
	}
	return nil
}

// misuse is a sentence about an argument; it is unix.EINVAL to errors.Is.
type misuse string

func (m misuse) Error() string   { return string(m) }
func (misuse) Is(err error) bool { return err == unix.EINVAL }

func invalid(format string, args ...any) error {
	return misuse(fmt.Sprintf(format, args...))
}
