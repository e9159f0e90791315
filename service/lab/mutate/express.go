package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strconv"
)

// ask is the question whether a mutation is switched on.
func ask(id int) string { return "mutant(" + strconv.Itoa(id) + ")" }

// expression mutates an expression and says whether to go on below it.
func (w *walker) expression(e ast.Expr) bool {
	v, ok := w.info.Types[e]
	switch {
	case ok && v.IsType():
		return false
	case ok && v.Value != nil:
		w.constant(e, v)
		return false
	}
	if w.conditional(e) {
		w.condition(e)
	}
	switch e := e.(type) {
	case *ast.BinaryExpr:
		w.binary(e)
	case *ast.UnaryExpr:
		w.unary(e)
	case *ast.CallExpr:
		w.extreme(e)
	}
	return true
}

// conditional says that an expression is a truth on which something hangs and that no operator of it is mutated.
func (w *walker) conditional(e ast.Expr) bool {
	if b, ok := w.info.TypeOf(e).(*types.Basic); !ok || b.Info()&types.IsBoolean == 0 {
		return false
	}
	switch e.(type) {
	case *ast.BinaryExpr, *ast.ParenExpr:
		return false
	}
	switch p := w.parent(1).(type) {
	case *ast.UnaryExpr:
		return p.Op != token.NOT
	case *ast.BinaryExpr:
		return logical(p.Op)
	case *ast.IfStmt, *ast.ForStmt, *ast.ReturnStmt, *ast.CaseClause, *ast.ParenExpr, *ast.AssignStmt, *ast.KeyValueExpr:
		return !w.assigned(e)
	}
	return false
}

// assigned says that an expression is what is written to, or one of several values of a call.
func (w *walker) assigned(e ast.Expr) bool {
	a, ok := w.parent(1).(*ast.AssignStmt)
	if !ok {
		return false
	}
	if len(a.Lhs) != len(a.Rhs) {
		return true
	}
	for _, l := range a.Lhs {
		if l == e {
			return true
		}
	}
	return false
}

func (w *walker) condition(e ast.Expr) {
	w.around(e, "(("+"", ") != "+ask(w.add(e, w.context(e), "negated"))+")")
}

// context shows an expression, and the one in which it stands where it says little by itself.
func (w *walker) context(e ast.Expr) string {
	text := w.show(e)
	switch p := w.parent(1).(type) {
	case *ast.BinaryExpr, *ast.CallExpr, *ast.IndexExpr, *ast.KeyValueExpr, *ast.AssignStmt, *ast.ReturnStmt, *ast.SliceExpr, *ast.UnaryExpr:
		if around := w.show(p); around != text {
			return around + ": " + text
		}
	case *ast.ParenExpr:
		return w.show(p)
	}
	return text
}

func logical(op token.Token) bool { return op == token.LAND || op == token.LOR }

func (w *walker) binary(e *ast.BinaryExpr) {
	switch {
	case logical(e.Op):
		w.junction(e)
	case e.Op == token.EQL || e.Op == token.NEQ:
		w.negate(e)
	case comparisons[e.Op] != "":
		w.compare(e)
	case arithmetic[e.Op] != "" && numeric(w.info.TypeOf(e)):
		id := w.add(e, w.show(e), e.Op.String()+" becomes "+arithmeticOther[e.Op])
		w.helper(e, arithmetic[e.Op], id)
	}
}

// comparisons are the helpers for an order.
var comparisons = map[token.Token]string{
	token.LSS: "mutantLess", token.LEQ: "mutantLessEqual", token.GTR: "mutantGreater", token.GEQ: "mutantGreaterEqual",
}

// boundaries are what an order becomes at its boundary.
var boundaries = map[token.Token]string{token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">"}

// negations are what a comparison becomes by negation.
var negations = map[token.Token]string{
	token.LSS: ">=", token.LEQ: ">", token.GTR: "<=", token.GEQ: "<", token.EQL: "!=", token.NEQ: "==",
}

// arithmetic are the helpers for operators.
var arithmetic = map[token.Token]string{
	token.ADD: "mutantAdd", token.SUB: "mutantSub", token.MUL: "mutantMul", token.QUO: "mutantDiv", token.REM: "mutantMod",
	token.AND: "mutantAnd", token.OR: "mutantOr", token.XOR: "mutantXor", token.AND_NOT: "mutantAndNot",
	token.SHL: "mutantLeft", token.SHR: "mutantRight",
}

// arithmeticOther is what the helpers make of an operator.
var arithmeticOther = map[token.Token]string{
	token.ADD: "-", token.SUB: "+", token.MUL: "/", token.QUO: "*", token.REM: "*",
	token.AND: "|", token.OR: "&", token.XOR: "|", token.AND_NOT: "&", token.SHL: ">>", token.SHR: "<<",
}

// helper turns a binary expression into a call.
func (w *walker) helper(e *ast.BinaryExpr, name string, id int) {
	w.around(e, fmt.Sprintf("%s(%d, ", name, id), ")")
	w.replace(e.OpPos, e.Op, ", ")
}

func (w *walker) negate(e *ast.BinaryExpr) {
	id := w.add(e, w.show(e), e.Op.String()+" becomes "+negations[e.Op])
	w.around(e, "((", ") != "+ask(id)+")")
}

// compare moves the boundary of an order and negates it. Where one side is a constant number, that is moved instead.
func (w *walker) compare(e *ast.BinaryExpr) {
	if w.stepped(e.X) || w.stepped(e.Y) {
		w.negate(e)
		return
	}
	id := w.add(e, w.show(e), e.Op.String()+" becomes "+boundaries[e.Op])
	w.add(e, w.show(e), e.Op.String()+" becomes "+negations[e.Op])
	w.helper(e, comparisons[e.Op], id)
}

// junction turns "and" into "or", by de Morgan so that nothing is evaluated that was not, and leaves out either side.
func (w *walker) junction(e *ast.BinaryExpr) {
	other, neutral := token.LOR, " || "
	if e.Op == token.LOR {
		other, neutral = token.LAND, " && !"
	}
	swapped := ask(w.add(e, w.show(e), e.Op.String()+" becomes "+other.String()))
	w.insert(e.Pos(), "((")
	w.around(e.X, "((", ") != "+swapped+")")
	w.around(e.Y, "((", ") != "+swapped+")")
	w.close(e.End(), ") != "+swapped+")")
	for _, side := range []ast.Expr{e.X, e.Y} {
		if inner, ok := side.(*ast.BinaryExpr); ok && inner.Op == e.Op {
			continue // its own sides are left out
		}
		id := w.add(side, w.show(e), "without "+w.show(side))
		w.around(side, "((", ")"+neutral+ask(id)+")")
	}
}

func (w *walker) unary(e *ast.UnaryExpr) {
	name := map[token.Token]string{token.SUB: "mutantNegative", token.XOR: "mutantComplement"}[e.Op]
	if name == "" {
		return
	}
	id := w.add(e, w.show(e), "without "+e.Op.String())
	w.around(e, fmt.Sprintf("%s(%d, ", name, id), ")")
	w.replace(e.OpPos, e.Op, "")
}

// extreme swaps min and max.
func (w *walker) extreme(e *ast.CallExpr) {
	name, ok := e.Fun.(*ast.Ident)
	if !ok || name.Name != "min" && name.Name != "max" || w.info.Uses[name] != types.Universe.Lookup(name.Name) {
		return
	}
	helper, other := "mutantMin", "max"
	if name.Name == "max" {
		helper, other = "mutantMax", "min"
	}
	id := w.add(e, w.show(e), name.Name+" becomes "+other)
	w.edit(edit{at: w.offset(e.Pos()), remove: len(name.Name), text: helper})
	w.insert(e.Lparen+1, strconv.Itoa(id)+", ")
}

// constant changes a number by one, doubles a duration or takes it away, and turns a truth round. Names of an
// enumeration and texts are left alone.
func (w *walker) constant(e ast.Expr, v types.TypeAndValue) {
	if b, ok := v.Type.Underlying().(*types.Basic); ok && b.Info()&types.IsBoolean != 0 {
		w.condition(e)
		return
	}
	if k := v.Value.Kind(); k != constant.Int && k != constant.Float || enumerated(e, v.Type) {
		return
	}
	written, ok := w.named(v.Type)
	if !ok {
		w.exclude(e, w.context(e), "another number")
		return
	}
	for _, c := range changes(w.parent(1), v) {
		id := w.add(e, w.context(e), c.text)
		w.around(e, fmt.Sprintf("%s(%d, %s(", c.helper, id, written), "))")
	}
}

// change is one way to change a number.
type change struct{ helper, text string }

// changes are the ways to change a number that stands below a node.
func changes(parent ast.Node, v types.TypeAndValue) []change {
	twice, zero := change{"mutantTwice", "twice as much"}, change{"mutantZero", "zero"}
	up, down := change{"mutantUp", "one more"}, change{"mutantDown", "one less"}
	unsigned := v.Type.Underlying().(*types.Basic).Info()&types.IsUnsigned != 0
	_, index := parent.(*ast.IndexExpr)
	switch nought := constant.Sign(v.Value) == 0; {
	case !nought && !stepping(v.Type):
		return []change{twice, zero}
	case nought && (unsigned || index):
		return []change{up}
	}
	return []change{up, down}
}

// stepped says that an expression is a number that is changed by one.
func (w *walker) stepped(e ast.Expr) bool {
	v, ok := w.info.Types[e]
	return ok && v.Value != nil && numeric(v.Type) && (stepping(v.Type) || constant.Sign(v.Value) == 0) && !enumerated(e, v.Type)
}

// stepping says that values of a type are counted rather than measured.
func stepping(t types.Type) bool {
	if n, ok := types.Unalias(t).(*types.Named); ok && (n.Obj().Name() == "Duration" || n.Obj().Name() == "Instant") {
		return false
	}
	return t.Underlying().(*types.Basic).Info()&types.IsInteger != 0
}

// enumerated says that an expression is one of the names of an enumeration: a type of its own with several constants.
func enumerated(e ast.Expr, t types.Type) bool {
	n, ok := types.Unalias(t).(*types.Named)
	if _, literal := e.(*ast.BasicLit); !ok || literal || !numeric(t) || !stepping(t) {
		return false
	}
	members, scope := 0, n.Obj().Pkg().Scope()
	for _, name := range scope.Names() {
		if c, ok := scope.Lookup(name).(*types.Const); ok && c.Type() == t {
			members++
		}
	}
	return members > 1
}
