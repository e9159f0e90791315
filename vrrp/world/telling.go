package world

import (
	"fmt"
	"strings"

	"standfast/vrrp/node"
)

// transcript is what happened, in lines that a person can follow.
type transcript struct {
	wanted bool
	all    bool // with every event and action
	lines  []string
	head   string             // of the last line, where more of the same may follow
	said   [maxRouters]string // what a router last told its operator
}

// Where a line of a transcript ends, and where what is left of it goes on.
const (
	lineEnd    = 110
	lineIndent = "                "
)

// say adds a line to the transcript.
func (w *World) say(format string, args ...any) {
	t := &w.transcript
	if !t.wanted {
		return
	}
	t.head = ""
	t.add(fmt.Sprintf("%12.6f  ", w.elapsed().Seconds()) + fmt.Sprintf(format, args...))
}

// sayAlso adds one of several things of which the same is to be said at the same moment.
func (w *World) sayAlso(head string, what any) {
	t := &w.transcript
	if !t.wanted {
		return
	}
	stamped := fmt.Sprintf("%12.6f  %s", w.elapsed().Seconds(), head)
	if t.head == stamped {
		t.lines[len(t.lines)-1] += fmt.Sprintf(", %v", what)
		return
	}
	t.lines = append(t.lines, fmt.Sprintf("%s %v", stamped, what))
	t.head = stamped
}

// add breaks a line where it gets too long, unless it is for a program to search in.
func (t *transcript) add(line string) {
	line = strings.TrimRight(line, " ")
	for !t.all && len(line) > lineEnd {
		at := strings.LastIndexByte(line[:lineEnd], ' ')
		if at <= len(lineIndent) {
			break // one long word
		}
		t.lines = append(t.lines, line[:at])
		line = lineIndent + line[at+1:]
	}
	t.lines = append(t.lines, line)
}

// introduce says what there is before anything happens.
func (w *World) introduce() {
	way := "a crossover cable"
	switch {
	case w.scene.Shape == OnLAN:
		way = segmentNames[lan10] + ", which also serves"
	case w.scene.Switched:
		way = "a switch"
	}
	w.say("adverts every %s on %s through %s", text(w.scene.Interval), portNames[w.scene.heart()], way)
	for n, i := range w.routers[0].config.Instances {
		var addresses, priorities []string
		for _, v := range i.VIPs {
			addresses = append(addresses, fmt.Sprintf("%v on %s", v.Prefix.Addr(), v.Port))
		}
		for k, r := range w.routers {
			priorities = append(priorities, fmt.Sprintf("%s %d", r.name, w.scene.priority(k, n)))
		}
		w.say("%s: %s; priorities %s", i.Name, strings.Join(addresses, ", "), strings.Join(priorities, ", "))
	}
	if w.scene.Peer != Ours {
		w.say("B runs %s", w.scene.Peer)
	}
}

// sayTransition says why, unless the router has just said so.
func (w *World) sayTransition(r *router, t node.Transition) {
	why := fmt.Sprintf(" (%s)", t.Reason)
	if strings.Contains(w.transcript.said[r.number], t.Reason) {
		why = ""
	}
	w.say("%s %s: %s -> %s%s", r.name, t.Name, t.From, t.To, why)
}

// sayNote says what a router tells its operator.
func (w *World) sayNote(r *router, n node.Note) {
	w.transcript.said[r.number] = n.Text
	about := ""
	if k := r.virtual(n.Key); k >= 0 {
		about = " " + r.config.Instances[k].Name + ":"
	}
	w.say("%s%s %s", r.name, about, n.Text)
}

// sayHeard says what a router is told.
func (w *World) sayHeard(r *router, e node.Event) {
	if w.transcript.all {
		w.say("  %s <- %s", r.name, inFull(e))
	}
}

// sayWanted says what a router wants done.
func (w *World) sayWanted(r *router, a node.Action) {
	if w.transcript.all {
		w.say("    %s -> %s", r.name, inFull(a))
	}
}

// inFull is a value with its type and its fields.
func inFull(v any) string {
	return strings.TrimPrefix(fmt.Sprintf("%T%+v", v, v), "node.")
}
