package configfs

import (
	"slices"
	"strings"
)

// statement is a line of the file: a keyword with its arguments, or an entry of a list, and the block behind it.
type statement struct {
	words []word // at least one
	raw   piece  // the same as written, for keywords whose arguments have quotes of their own
	block bool   // a block follows, an empty one perhaps
	body  []*statement
}

// first returns the word that says what s is.
func (s *statement) first() word { return s.words[0] }

// args returns the words after the first.
func (s *statement) args() []word { return s.words[1:] }

// frame is a block that is being read.
type frame struct {
	owner *statement
	brace Position
}

// parser builds the tree. Included files go through the same parser, so a block may span files, as in keepalived.
type parser struct {
	*collector
	root    []*statement
	stack   []frame
	pending *statement // the last statement, while a { may still follow it
	suspect string     // the first block closed by a brace that does not stand under its first word
}

// line takes the pieces of one line.
func (p *parser) line(pieces []piece) {
	for _, one := range pieces {
		switch one.kind {
		case text:
			p.statement(one)
		case open:
			p.open(one.pos)
		case close:
			p.close(one.pos, len(pieces) == 1)
		}
	}
}

func (p *parser) statement(one piece) {
	s := &statement{words: words(one), raw: one}
	if len(s.words) == 0 {
		return // nothing but an empty pair of quotes
	}
	p.place(s)
	p.pending = s
}

// place appends s to the innermost open block.
func (p *parser) place(s *statement) {
	if len(p.stack) == 0 {
		p.root = append(p.root, s)
		return
	}
	owner := p.stack[len(p.stack)-1].owner
	owner.body = append(owner.body, s)
}

func (p *parser) open(at Position) {
	s := p.pending
	p.pending = nil
	if s == nil {
		p.error(at, "write the name of the block before it", "this { opens no block")
		s = &statement{words: []word{{"", at}}} // takes the body along, so that the braces stay in step
	}
	if len(p.stack) > 0 && slices.Contains(rootBlocks, s.first().text) {
		p.unclosed(s.first())
		p.stack = nil
		p.root = append(p.root, s)
	}
	s.block = true
	p.stack = append(p.stack, frame{s, at})
}

func (p *parser) close(at Position, alone bool) {
	p.pending = nil
	if len(p.stack) == 0 {
		p.error(at, "remove it, or look for a { that is missing above", "this } closes no block")
		return
	}
	top := p.stack[len(p.stack)-1]
	p.stack = p.stack[:len(p.stack)-1]
	first := top.owner.first()
	if alone && p.suspect == "" && first.pos.Line != at.Line && first.pos.Column != at.Column {
		p.suspect = first.text + " of " + first.pos.seen(at) + " ends in " + at.seen(first.pos)
	}
}

// unclosed complains that the outermost open block has no end before next. The statement of next was put into the
// innermost one, and is taken out again.
func (p *parser) unclosed(next word) {
	inner := p.stack[len(p.stack)-1].owner
	inner.body = inner.body[:len(inner.body)-1]
	p.missing(" before the " + next.text + " of " + next.pos.seen(p.stack[0].brace))
}

// finish complains about what is still open at the end of the configuration.
func (p *parser) finish() {
	if len(p.stack) > 0 {
		p.missing("")
	}
}

func (p *parser) missing(before string) {
	hint := "add the missing }"
	if p.suspect != "" {
		hint += "; by the indentation look where " + p.suspect
	}
	outer := p.stack[0]
	p.error(outer.brace, hint, "the block of %s is not closed%s", describe(outer.owner), before)
}

// describe names a block as its author does: keyword and name.
func describe(s *statement) string {
	names := make([]string, 0, 2)
	for _, w := range s.words[:min(2, len(s.words))] {
		names = append(names, w.text)
	}
	return strings.Join(names, " ")
}
