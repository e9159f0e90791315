package main

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// helpers are what the rewritten package calls: each takes the number of a mutation and asks whether that is the one
// that is switched on.
//
//go:embed schema.go.txt
var helpers string

// mutation is one small change of the code that the tests ought to notice.
type mutation struct {
	id       int // from 1, in the order of the text
	at       token.Position
	function string // "(*Node).late"; "var backup" outside of functions
	code     string // what is changed, on one line
	change   string // into what
}

// String identifies a mutation whatever its line: function, code and change.
func (m mutation) String() string { return m.function + ": " + m.code + ": " + m.change }

// schema is a program with every mutation in it, each behind a switch that is read once when the program starts. It is
// compiled once and run for each of them.
type schema struct {
	*program
	mutations []mutation
	excluded  []mutation // those of a type that has no name in the package
	edits     map[string][]edit
	types     map[string]types.Type // names that types have in the rewritten package, wherever they come from
}

// edit puts text into a file. Edits come in nested pairs, so that at one place the end of an expression stands before
// the beginning of the next, inner ends before outer ones, and outer beginnings before inner ones.
type edit struct {
	at      int // offset
	remove  int // bytes
	text    string
	closing bool
}

// mutate finds every mutation of a program.
func mutate(p *program) *schema {
	s := &schema{program: p, edits: map[string][]edit{}, types: map[string]types.Type{}}
	for _, f := range p.files {
		w := &walker{schema: s, file: f}
		for _, d := range f.syntax.Decls {
			w.declaration(d)
		}
	}
	distinguish(s.mutations)
	return s
}

// distinguish numbers mutations that look alike.
func distinguish(list []mutation) {
	seen := map[string]int{}
	for k := range list {
		name := list[k].String()
		seen[name]++
		if seen[name] > 1 {
			list[k].change += fmt.Sprintf(" (%d)", seen[name])
		}
	}
}

// texts are the files of the package as they are compiled, by path.
func (s *schema) texts() map[string]string {
	known := strings.NewReplacer("PACKAGE", s.pkg.Name(), "MUTATIONS", strconv.Itoa(len(s.mutations)))
	texts := map[string]string{s.dir + "/mutant_schema.go": known.Replace(helpers), s.dir + "/mutant_types.go": s.aliases()}
	for _, f := range s.files {
		texts[f.path] = apply(string(f.text), s.edits[f.path])
	}
	return texts
}

// named gives a type a name that means it everywhere in the package, whatever a file imports and a function calls its own.
func (s *schema) named(t types.Type) (string, bool) {
	switch t := types.Unalias(t).(type) {
	case *types.Basic:
		if t.Info()&types.IsUntyped != 0 { // the count of a shift
			return s.named(types.Typ[types.Int])
		}
		s.types["mutant_"+t.Name()] = t
		return "mutant_" + t.Name(), true
	case *types.Named:
		home := t.Obj().Pkg()
		if t.Obj().Parent() != home.Scope() || t.TypeArgs().Len() > 0 {
			return "", false
		}
		s.types["mutant_"+home.Name()+"_"+t.Obj().Name()] = t
		return "mutant_" + home.Name() + "_" + t.Obj().Name(), true
	}
	return "", false
}

// aliases is a file that declares the names of types.
func (s *schema) aliases() string {
	var imports, declared strings.Builder
	imported := map[string]bool{}
	foreign := func(p *types.Package) string {
		if p == s.pkg {
			return ""
		}
		if !imported[p.Path()] {
			imported[p.Path()] = true
			fmt.Fprintf(&imports, "import %q\n", p.Path())
		}
		return p.Name()
	}
	for _, name := range slices.Sorted(maps.Keys(s.types)) {
		fmt.Fprintf(&declared, "type %s = %s\n", name, types.TypeString(s.types[name], foreign))
	}
	return "package " + s.pkg.Name() + "\n" + imports.String() + declared.String()
}

// apply puts edits into a text.
func apply(text string, edits []edit) string {
	var opening, closing []edit
	for _, e := range edits {
		if e.closing {
			closing = append(closing, e)
		} else {
			opening = append(opening, e)
		}
	}
	slices.Reverse(closing)
	all := append(closing, opening...)
	slices.SortStableFunc(all, func(a, b edit) int { return a.at - b.at })
	var out strings.Builder
	done := 0
	for _, e := range all {
		out.WriteString(text[done:e.at])
		out.WriteString(e.text)
		done = e.at + e.remove
	}
	out.WriteString(text[done:])
	return out.String()
}

// add registers a mutation and returns its number.
func (w *walker) add(n ast.Node, code, change string) int {
	w.mutations = append(w.mutations, w.mutation(n, code, change))
	w.mutations[len(w.mutations)-1].id = len(w.mutations)
	return len(w.mutations)
}

func (w *walker) mutation(n ast.Node, code, change string) mutation {
	return mutation{at: w.set.Position(n.Pos()), function: w.function, code: code, change: change}
}

// exclude registers a mutation that cannot be made.
func (w *walker) exclude(n ast.Node, code, change string) {
	w.excluded = append(w.excluded, w.mutation(n, code, change))
}

// around puts text before and behind a node.
func (w *walker) around(n ast.Node, before, behind string) {
	w.insert(n.Pos(), before)
	w.close(n.End(), behind)
}

func (w *walker) insert(at token.Pos, text string) { w.edit(edit{at: w.offset(at), text: text}) }

func (w *walker) close(at token.Pos, text string) {
	w.edit(edit{at: w.offset(at), text: text, closing: true})
}

// replace puts text in the place of an operator.
func (w *walker) replace(at token.Pos, operator token.Token, text string) {
	w.edit(edit{at: w.offset(at), remove: len(operator.String()), text: text})
}

func (w *walker) edit(e edit) { w.edits[w.file.path] = append(w.edits[w.file.path], e) }

func (w *walker) offset(at token.Pos) int { return w.set.Position(at).Offset }

// show is the text of a node on one line, cut where it is very long.
func (w *walker) show(n ast.Node) string {
	const limit = 110
	text := strings.Join(strings.Fields(string(w.file.text[w.offset(n.Pos()):w.offset(n.End())])), " ")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}
