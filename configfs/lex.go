package configfs

import "strings"

// maxLine is the length from which keepalived drops a line whole.
const maxLine = 1024

// kind tells the pieces of a line apart.
type kind uint8

const (
	text  kind = iota // words between braces
	open              // {
	close             // }
)

// piece is a part of a line: the first brace that is not quoted cuts it into text, brace and rest, and so on.
type piece struct {
	kind kind
	raw  string // the text as written, comment removed
	pos  Position
}

// word is one word of a text.
type word struct {
	text string // quotes and the escapes of the comment signs removed
	pos  Position
}

// cut splits one line into its pieces, without the comment.
func (c *collector) cut(line string, pos Position) []piece {
	var pieces []piece
	start, quote := 0, -1
	flush := func(end int) {
		if strings.TrimSpace(line[start:end]) != "" {
			pieces = append(pieces, piece{text, line[start:end], pos.right(start)})
		}
	}
	for i := 0; i < len(line); i++ {
		switch b := line[i]; {
		case b == '\\' && i+1 < len(line):
			i++ // the next character has lost its meaning, be it a comment sign, a quote or a brace
		case b == '"' && quote < 0:
			quote = i
		case b == '"':
			quote = -1
		case quote >= 0:
		case b == '#' || b == '!':
			c.noteComment(line, i, pos)
			line = line[:i]
		case b == '{' && literalBrace(line[start:i]):
			i += max(strings.IndexByte(line[i:], '}'), 0)
		case b == '{':
			flush(i)
			pieces = append(pieces, piece{open, "{", pos.right(i)})
			start = i + 1
		case b == '}':
			flush(i)
			pieces = append(pieces, piece{close, "}", pos.right(i)})
			start = i + 1
		}
	}
	if quote >= 0 {
		c.error(pos.right(quote), "a quoted text ends on the line on which it began", `this " has no partner`)
		line += `"`
	}
	flush(len(line))
	return pieces
}

// literalBrace reports whether a { after the text before it belongs to a word: ${NAME}, or an alternative in the
// pattern of an include.
func literalBrace(before string) bool {
	if strings.HasSuffix(before, "$") {
		return true
	}
	words := strings.Fields(before)
	return len(words) > 0 && isInclude(words[0])
}

// noteComment points out a comment sign that cuts a word in two: whoever wrote a password with ! in it wants to know.
func (c *collector) noteComment(line string, at int, pos Position) {
	if at == 0 || strings.IndexByte(" \t\r\v\f{}", line[at-1]) >= 0 {
		return
	}
	c.note(pos.right(at), `write \`+line[at:at+1]+` where the sign belongs to the word`,
		"the comment that starts here cuts off the end of a word")
}

// right returns the position n bytes to the right of p.
func (p Position) right(n int) Position {
	p.Column += n
	return p
}

// words splits a text into its words. A quoted text is one word; every other blank separates.
func words(p piece) []word {
	var all []word
	var b strings.Builder
	begin, quoted := -1, false
	flush := func() {
		if begin >= 0 {
			all = append(all, word{b.String(), p.pos.right(begin)})
		}
		b.Reset()
		begin = -1
	}
	for i := 0; i < len(p.raw); i++ {
		ch := p.raw[i]
		if !quoted && isBlank(ch) {
			flush()
			continue
		}
		if begin < 0 {
			begin = i
		}
		switch {
		case ch == '"':
			quoted = !quoted
		case ch == '\\' && i+1 < len(p.raw):
			i++
			if strings.IndexByte(`#!"`, p.raw[i]) < 0 {
				b.WriteByte('\\')
			}
			b.WriteByte(p.raw[i])
		default:
			b.WriteByte(ch)
		}
	}
	flush()
	return all
}

func isBlank(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' }
