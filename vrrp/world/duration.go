package world

import (
	"strconv"
	"strings"
	"time"
)

// unit is one in which a duration is written.
type unit struct {
	name string
	size time.Duration
}

var units = [...]unit{{"s", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond}, {"ns", time.Nanosecond}}

// text is a duration in the largest unit that fits into it, exact to the nanosecond.
func text(d time.Duration) string {
	for _, u := range units {
		if d >= u.size {
			return in(d, u)
		}
	}
	return "0s"
}

// exact is a duration in seconds, exact to the nanosecond.
func exact(d time.Duration) string { return in(d, units[0]) }

func in(d time.Duration, u unit) string {
	s := strconv.FormatInt(int64(d/u.size), 10)
	if rest := d % u.size; rest > 0 {
		digits := strconv.FormatInt(int64(u.size+rest), 10)[1:] // with its zeros
		s += "." + strings.TrimRight(digits, "0")
	}
	return s + u.name
}

// parseDuration reads a decimal number and one unit, without losing any of it.
func parseDuration(s string) (time.Duration, bool) {
	for _, u := range units {
		if number, ok := strings.CutSuffix(s, u.name); ok && number != "" && number[len(number)-1] <= '9' {
			return decimal(number, u.size)
		}
	}
	return 0, false
}

func decimal(s string, size time.Duration) (time.Duration, bool) {
	whole, rest, dotted := strings.Cut(s, ".")
	n, err := strconv.ParseUint(whole, 10, 32)
	d := time.Duration(n) * size
	for _, digit := range rest {
		size /= 10
		if digit < '0' || digit > '9' || size == 0 {
			return 0, false
		}
		d += time.Duration(digit-'0') * size
	}
	return d, err == nil && dotted == (rest != "")
}
