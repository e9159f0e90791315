package main

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// walker goes through one file and rewrites what it finds.
type walker struct {
	*schema
	file     file
	function string
	above    []ast.Node // the way down to the present node
}

// declaration goes through one declaration. Constants stay what they are; they are mutated where they are used.
func (w *walker) declaration(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		w.function = d.Name.Name
		if d.Recv != nil {
			w.function = "(" + w.show(d.Recv.List[0].Type) + ")." + d.Name.Name
		}
		if d.Body != nil {
			w.body(d.Type, d.Body)
		}
	case *ast.GenDecl:
		if d.Tok != token.VAR {
			return
		}
		for _, spec := range d.Specs {
			spec := spec.(*ast.ValueSpec)
			w.function = "var " + spec.Names[0].Name
			for _, v := range spec.Values {
				w.walk(v)
			}
		}
	}
}

// body goes through the body of a function. It ends with a return of zeros, so that it may lose any other.
func (w *walker) body(t *ast.FuncType, b *ast.BlockStmt) {
	w.walk(b)
	if t.Results == nil {
		return
	}
	zeros, comma := "\nreturn ", ""
	for _, r := range t.Results.List {
		for range max(len(r.Names), 1) {
			zeros += comma + "*new(" + string(w.file.text[w.offset(r.Type.Pos()):w.offset(r.Type.End())]) + ")"
			comma = ", "
		}
	}
	w.insert(b.Rbrace, zeros+"\n")
}

// walk goes through a node and everything in it.
func (w *walker) walk(n ast.Node) {
	depth := len(w.above)
	ast.Inspect(n, func(n ast.Node) bool {
		if n == nil {
			w.above = w.above[:len(w.above)-1]
			return true
		}
		if !w.enter(n) {
			return false
		}
		w.above = append(w.above, n)
		return true
	})
	w.above = w.above[:depth]
}

// within goes through some nodes as children of another.
func within[N ast.Node](w *walker, parent ast.Node, children ...N) {
	w.above = append(w.above, parent)
	for _, c := range children {
		w.walk(c)
	}
	w.above = w.above[:len(w.above)-1]
}

// enter mutates a node and says whether to go on below it.
func (w *walker) enter(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncLit:
		above := w.above
		w.above = nil
		w.body(n.Type, n.Body)
		w.above = above
		return false
	case *ast.ArrayType, *ast.StructType, *ast.FuncType, *ast.InterfaceType, *ast.MapType, *ast.ChanType, *ast.DeclStmt:
		return w.variables(n)
	case *ast.KeyValueExpr:
		within(w, n, n.Value)
		return false
	case *ast.CaseClause:
		w.clause(n)
		return false
	case ast.Expr:
		return w.expression(n)
	case ast.Stmt:
		if w.listed() {
			w.statement(n)
		}
	}
	return true
}

// variables says that a node declares variables inside a function; types and constants have nothing to be mutated.
func (w *walker) variables(n ast.Node) bool {
	d, ok := n.(*ast.DeclStmt)
	return ok && d.Decl.(*ast.GenDecl).Tok == token.VAR
}

// parent is the node above, n levels up, the direct one being 1; nil beyond the function.
func (w *walker) parent(n int) ast.Node {
	if len(w.above) < n {
		return nil
	}
	return w.above[len(w.above)-n]
}

// listed says that a statement stands in a list, where it may be left out.
func (w *walker) listed() bool {
	switch w.parent(1).(type) {
	case *ast.BlockStmt, *ast.CaseClause, *ast.CommClause:
		return true
	}
	return false
}

// clause empties the body of a case and goes through it. The values of a case stay as they are, since a compiler wants
// them distinct; conditions are mutated.
func (w *walker) clause(c *ast.CaseClause) {
	if len(c.Body) > 0 && !w.removable(c.Body) {
		id := w.add(c, w.caseLabel(c), "body removed")
		w.insert(c.Body[0].Pos(), w.unless(id))
		w.close(c.Body[len(c.Body)-1].End(), " }")
	}
	if s, ok := w.parent(2).(*ast.SwitchStmt); ok && s.Tag == nil {
		within(w, c, c.List...)
	}
	within(w, c, c.Body...)
}

func (w *walker) caseLabel(c *ast.CaseClause) string {
	label := "default"
	for k, e := range c.List {
		if k == 0 {
			label = "case " + w.show(e)
		} else {
			label += ", " + w.show(e)
		}
	}
	return label
}

// removable says that a body is one statement that is removed anyway, or one that cannot be enclosed.
func (w *walker) removable(body []ast.Stmt) bool {
	last := body[len(body)-1]
	if b, ok := last.(*ast.BranchStmt); ok && b.Tok == token.FALLTHROUGH {
		return true
	}
	if len(body) > 1 {
		return false
	}
	switch s := last.(type) {
	case *ast.ExprStmt, *ast.IncDecStmt, *ast.BranchStmt:
		return true
	case *ast.AssignStmt:
		return s.Tok != token.DEFINE
	}
	return false
}

// statement removes a statement, or leaves a loop where it would go on.
func (w *walker) statement(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.ExprStmt:
		if call, ok := s.X.(*ast.CallExpr); ok && w.show(call.Fun) != "panic" {
			w.remove(s)
		}
	case *ast.DeferStmt, *ast.IncDecStmt:
		w.remove(s)
	case *ast.AssignStmt:
		blank := func(e ast.Expr) bool { id, ok := e.(*ast.Ident); return ok && id.Name == "_" }
		if s.Tok != token.DEFINE && slices.ContainsFunc(s.Lhs, func(e ast.Expr) bool { return !blank(e) }) {
			w.remove(s)
		}
	case *ast.ReturnStmt:
		if w.early(s) {
			w.remove(s)
		}
	case *ast.BranchStmt:
		w.branch(s)
	}
}

// unless begins a block that is left out when a mutation is switched on.
func (w *walker) unless(id int) string { return "if !" + ask(id) + " { " }

func (w *walker) remove(s ast.Stmt) {
	w.around(s, w.unless(w.add(s, w.show(s), "removed")), " }")
}

// early says that a return leaves a function of which more is to come: it stands in a condition without an else, or in a loop.
func (w *walker) early(s *ast.ReturnStmt) bool {
	switch outer := w.parent(2).(type) {
	case *ast.IfStmt:
		return outer.Else == nil
	case *ast.ForStmt, *ast.RangeStmt:
		return true
	}
	return false
}

// branch turns a break into a continue and the other way round; where a switch stands between, it is only left out.
func (w *walker) branch(s *ast.BranchStmt) {
	if s.Label != nil || s.Tok != token.BREAK && s.Tok != token.CONTINUE {
		return
	}
	other := token.BREAK
	if s.Tok == token.BREAK {
		other = token.CONTINUE
	}
	for k := range w.above {
		switch w.parent(k + 1).(type) {
		case *ast.ForStmt, *ast.RangeStmt:
			id := w.add(s, w.show(s), "becomes "+other.String())
			w.insert(s.Pos(), "if "+ask(id)+" { "+other.String()+" }; ")
			return
		case *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt:
			w.remove(s)
			return
		}
	}
}

// numeric says that values of a type can be counted with.
func numeric(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsNumeric != 0
}
