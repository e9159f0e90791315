// Package standfast_test holds the tree against the rules that ARCHITECTURE.md states: who imports whom, what stays pure,
// and how large a thing may grow. A rule that no test enforces is a wish.
package standfast_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module        = "standfast"
	maxFunction   = 70  // lines, from func to the closing brace
	maxFile       = 500 // lines, of files that are neither tests nor generated
	minTestWeight = 2   // lines of test per line of code, where a room asks for it
)

// room is one row of the table: a folder and what it may do.
type room struct {
	folder     string   // "a/b" is this folder, "a/*" each folder in a, "a/..." a and everything below
	std        []string // packages of the standard library that it may import; nil: any but those in never
	never      []string // packages of the standard library that it may not import
	libraries  []string // module prefixes
	ours       []string // folders of ours, written as above
	pure       bool     // no clocks, timers or goroutines
	goroutines bool     // it may start some
	weighed    bool     // it owes minTestWeight
}

// pureStd is all that a thinking room needs of the standard library; of time it may use Duration only.
func pureStd(more ...string) []string {
	return append([]string{"bytes", "cmp", "encoding/binary", "errors", "fmt", "iter", "maps", "math", "math/bits",
		"net/netip", "slices", "strconv", "strings", "time"}, more...)
}

// rooms is the table. The first row that matches a folder counts; a folder without a row has no business in the tree.
func rooms() []room {
	edges := []string{"golang.org/x/sys", "golang.org/x/net", "github.com/vishvananda/", "github.com/mdlayher/"}
	return []room{
		{folder: ".", std: []string{}},
		{folder: "vrrp", std: pureStd(), pure: true, weighed: true},
		{folder: "vrrp/verdict", std: pureStd(), pure: true, weighed: true},
		{folder: "vrrp/node", std: pureStd(), ours: []string{"vrrp", "vrrp/verdict"}, pure: true},
		{folder: "vrrp/world", std: pureStd("math/rand/v2"), ours: []string{"vrrp", "vrrp/verdict", "vrrp/node"}, pure: true},
		{folder: "hw/hwtest", libraries: append(edges, "github.com/hanwen/go-fuse/"), goroutines: true},
		{folder: "hw/*", libraries: edges},
		{folder: "configfs", std: pureStd("embed", "io", "io/fs", "path", "unicode", "unicode/utf8"),
			ours: []string{"vrrp", "vrrp/verdict", "vrrp/node"}},
		{folder: "service", never: []string{"flag"}, libraries: []string{"golang.org/x/sys", "github.com/coreos/go-systemd/v22"},
			ours: []string{"vrrp", "vrrp/verdict", "vrrp/node", "hw/*", "configfs", "service/helper"}, goroutines: true},
		{folder: "service/helper", never: []string{"flag"}, libraries: []string{"golang.org/x/sys", "github.com/coreos/go-systemd/v22"},
			ours: []string{"hw/*"}, goroutines: true},
		{folder: "service/doctor", never: []string{"flag"}, goroutines: true,
			ours: []string{"vrrp", "vrrp/verdict", "hw/*", "configfs", "service"}},
		{folder: "service/migrate", never: []string{"flag"}, ours: []string{"service", "configfs"}},
		{folder: "service/standfast", libraries: []string{"github.com/spf13/cobra"},
			ours: []string{"service", "service/doctor", "service/helper", "service/migrate", "configfs"}},
		{folder: "packaging", std: []string{}, ours: []string{"configfs"}},
		{folder: "service/lab/...", libraries: append(edges, "github.com/", "pgregory.net/"),
			ours: []string{"vrrp", "vrrp/*", "hw/*", "configfs", "service", "service/doctor", "service/helper", "service/lab/..."}, goroutines: true},
	}
}

func TestLayout(t *testing.T) {
	for _, v := range violations(os.DirFS(".")) {
		t.Error(v)
	}
}

// source is one file of the tree.
type source struct {
	path      string
	text      []byte
	syntax    *ast.File
	test      bool
	generated bool
}

// folder is one package of the tree with its tests.
type folder struct {
	path    string
	sources []source
	files   *token.FileSet
	broken  []string
}

// report adds a sentence about a place.
func (f *folder) report(at token.Pos, format string, args ...any) {
	p := f.files.Position(at)
	f.broken = append(f.broken, fmt.Sprintf("%s:%d: %s", p.Filename, p.Line, fmt.Sprintf(format, args...)))
}

// violations lists what in the tree breaks the rules, in the order of its files.
func violations(tree fs.FS) []string {
	folders, broken := load(tree)
	for _, f := range folders {
		r, ok := roomOf(f.path)
		if !ok {
			f.report(f.sources[0].syntax.Package, "the folder %s has no row in the table of rooms", f.path)
		} else {
			f.checkImports(r)
			f.checkGoroutines(r)
			f.checkPurity(r)
			f.checkWeight(r)
		}
		f.checkPackageComment()
		f.checkSizes()
		f.checkDocumented()
		f.checkVariables()
		f.checkFormat()
		f.checkExits()
		broken = append(broken, f.broken...)
	}
	slices.Sort(broken)
	return broken
}

// load parses every Go file of the tree, by folder.
func load(tree fs.FS) (folders []*folder, broken []string) {
	byPath := map[string]*folder{}
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		base := path.Base(name)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (base == "testdata" || base == "bin" || base == "dist" || base[0] == '.' || base[0] == '_'):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		f := byPath[path.Dir(name)]
		if f == nil {
			f = &folder{path: path.Dir(name), files: token.NewFileSet()}
		}
		syntax, err := parser.ParseFile(f.files, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			broken = append(broken, err.Error())
			return nil
		}
		if len(f.sources) == 0 {
			byPath[f.path] = f
			folders = append(folders, f)
		}
		f.sources = append(f.sources, source{name, text, syntax, strings.HasSuffix(name, "_test.go"), ast.IsGenerated(syntax)})
		return nil
	})
	if err != nil {
		broken = append(broken, err.Error())
	}
	return folders, broken
}

func roomOf(folder string) (room, bool) {
	for _, r := range rooms() {
		if within(folder, r.folder) {
			return r, true
		}
	}
	return room{}, false
}

// within says whether a folder is the one, or among those, that a pattern names.
func within(folder, pattern string) bool {
	if above, ok := strings.CutSuffix(pattern, "/..."); ok {
		return folder == above || strings.HasPrefix(folder, above+"/")
	}
	if above, ok := strings.CutSuffix(pattern, "/*"); ok {
		return path.Dir(folder) == above
	}
	return folder == pattern
}

func (f *folder) checkImports(r room) {
	for _, s := range f.sources {
		for _, i := range s.syntax.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				f.report(i.Pos(), "an import that cannot be read: %s", i.Path.Value)
				continue
			}
			if i.Name != nil && i.Name.Name == "." {
				f.report(i.Pos(), "imports %s into its own names; write the package's name instead", name)
			}
			if !f.mayImport(r, name, s.test) {
				f.report(i.Pos(), "%s may not import %s", f.path, name)
			}
		}
	}
}

// mayImport applies a row to one import. Tests may add the standard library, the tools of testing, their own package and, outside of
// the pure rooms, the laboratory.
func (f *folder) mayImport(r room, name string, test bool) bool {
	allowed := func(p string) bool { return strings.HasPrefix(name, p) }
	if ours, ok := strings.CutPrefix(name, module+"/"); ok {
		if test && (ours == f.path || ours == "hw/hwtest" && !r.pure) {
			return true
		}
		laboratory := ours == "hw/hwtest" && !within(f.path, "service/lab/...")
		return !laboratory && slices.ContainsFunc(r.ours, func(p string) bool { return within(ours, p) })
	}
	if first, _, _ := strings.Cut(name, "/"); strings.Contains(first, ".") {
		tools := []string{"github.com/google/go-cmp/", "pgregory.net/rapid"}
		return test && slices.ContainsFunc(tools, allowed) || slices.ContainsFunc(r.libraries, allowed)
	}
	return test || r.std != nil && slices.Contains(r.std, name) || r.std == nil && !slices.Contains(r.never, name)
}

// checkGoroutines finds go statements where nobody owns them.
func (f *folder) checkGoroutines(r room) {
	if r.goroutines {
		return
	}
	f.inspect(func(s source, n ast.Node) {
		if g, ok := n.(*ast.GoStmt); ok {
			f.report(g.Pos(), "%s starts a goroutine; only service, its rooms and hw/hwtest may", f.path)
		}
	})
}

// checkPurity finds clocks and timers in rooms that know ages and moments only as values. time.Duration and its units are all that
// such a room may use of time.
func (f *folder) checkPurity(r room) {
	if !r.pure {
		return
	}
	allowed := []string{"Duration", "Nanosecond", "Microsecond", "Millisecond", "Second", "Minute", "Hour"}
	f.inspect(func(s source, n ast.Node) {
		if name, ok := selected(s, n, "time"); ok && !slices.Contains(allowed, name) {
			f.report(n.Pos(), "%s is pure and may not use time.%s; moments come in with events", f.path, name)
		}
	})
}

// checkExits finds packages that end the process: only a main may.
func (f *folder) checkExits() {
	f.inspect(func(s source, n ast.Node) {
		if s.syntax.Name.Name == "main" {
			return
		}
		if name, ok := selected(s, n, "os"); ok && name == "Exit" {
			f.report(n.Pos(), "os.Exit outside of a main; return an error")
		}
		if name, ok := selected(s, n, "log"); ok && (strings.HasPrefix(name, "Fatal") || strings.HasPrefix(name, "Panic")) {
			f.report(n.Pos(), "log.%s ends the process; return an error", name)
		}
	})
}

// selected says that a node is a name of the given package of the standard library, and which.
func selected(s source, n ast.Node, pkg string) (string, bool) {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return "", false
	}
	id, ok := sel.X.(*ast.Ident)
	if !ok {
		return "", false
	}
	for _, i := range s.syntax.Imports {
		local := path.Base(pkg)
		if i.Name != nil {
			local = i.Name.Name
		}
		if i.Path.Value == strconv.Quote(pkg) && id.Name == local {
			return sel.Sel.Name, true
		}
	}
	return "", false
}

// inspect visits every node of the code, tests apart.
func (f *folder) inspect(visit func(source, ast.Node)) {
	for _, s := range f.code() {
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			if n != nil {
				visit(s, n)
			}
			return true
		})
	}
}

// code is the files that are no tests.
func (f *folder) code() []source {
	return slices.DeleteFunc(slices.Clone(f.sources), func(s source) bool { return s.test })
}

// checkWeight compares tests with code, in lines that bear more than comment.
func (f *folder) checkWeight(r room) {
	code, test := 0, 0
	for _, s := range f.sources {
		if s.test {
			test += codeLines(s.text)
		} else {
			code += codeLines(s.text)
		}
	}
	if r.weighed && test < minTestWeight*code {
		f.report(f.sources[0].syntax.Package, "%s has %d lines of test for %d lines of code; it owes %d", f.path, test, code, minTestWeight*code)
	}
}

// codeLines counts the lines on which a token stands.
func codeLines(text []byte) int {
	files := token.NewFileSet()
	file := files.AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, 0)
	lines := map[int]bool{}
	for {
		at, tok, literal := s.Scan()
		if tok == token.EOF {
			return len(lines)
		}
		if tok == token.SEMICOLON && literal == "\n" {
			continue
		}
		for l := range 1 + strings.Count(literal, "\n") {
			lines[file.Line(at)+l] = true
		}
	}
}

// checkPackageComment demands exactly one, which begins as godoc wants it.
func (f *folder) checkPackageComment() {
	sources := f.code()
	if len(sources) == 0 {
		sources = f.sources
	}
	var found []source
	for _, s := range sources {
		if s.syntax.Doc != nil {
			found = append(found, s)
		}
	}
	name := sources[0].syntax.Name.Name
	switch {
	case len(found) == 0:
		f.report(sources[0].syntax.Package, "package %s has no package comment", name)
	case len(found) > 1:
		f.report(found[1].syntax.Package, "package %s has a second package comment; the first is in %s", name, found[0].path)
	case name != "main" && !strings.HasPrefix(found[0].syntax.Doc.Text(), "Package "+name+" "):
		f.report(found[0].syntax.Package, "the package comment does not begin with \"Package %s\"", name)
	}
}

// checkSizes finds what has grown too long to be read at once.
func (f *folder) checkSizes() {
	for _, s := range f.code() {
		if s.generated {
			continue
		}
		if n := bytes.Count(s.text, []byte("\n")); n > maxFile {
			f.report(s.syntax.Package, "the file has %d lines, more than %d; divide it by topic", n, maxFile)
		}
		for _, d := range s.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := f.files.Position(fn.End()).Line - f.files.Position(fn.Pos()).Line + 1; n > maxFunction {
				f.report(fn.Pos(), "function %s has %d lines, more than %d", fn.Name.Name, n, maxFunction)
			}
			if fn.Recv == nil && fn.Name.Name == "init" {
				f.report(fn.Pos(), "init() runs before anybody asked; call it from where it is needed")
			}
		}
	}
}

// checkDocumented demands a comment on every exported name of a library.
func (f *folder) checkDocumented() {
	for _, s := range f.code() {
		if s.generated || s.syntax.Name.Name == "main" {
			continue
		}
		for _, d := range s.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
					f.report(d.Pos(), "%s is exported and not documented", d.Name.Name)
				}
			case *ast.GenDecl:
				f.checkDocumentedNames(d)
			}
		}
	}
}

// exportedReceiver says that a function is one, or a method of a type that others can name.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	exported := false
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.IsExported() {
			exported = true
		}
		return true
	})
	return exported
}

// checkDocumentedNames looks at types, constants and variables: a comment on the group does for all.
func (f *folder) checkDocumentedNames(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		var names []*ast.Ident
		documented := d.Doc != nil
		switch s := spec.(type) {
		case *ast.TypeSpec:
			names = []*ast.Ident{s.Name}
			documented = documented || s.Doc != nil || s.Comment != nil
		case *ast.ValueSpec:
			names = s.Names
			documented = documented || s.Doc != nil || s.Comment != nil
		}
		for _, n := range names {
			if n.IsExported() && !documented {
				f.report(n.Pos(), "%s is exported and not documented", n.Name)
			}
		}
	}
}

func (f *folder) checkFormat() {
	for _, s := range f.sources {
		if formatted, err := format.Source(s.text); err == nil && !bytes.Equal(formatted, s.text) {
			f.report(s.syntax.Package, "not formatted; run gofmt -w %s", s.path)
		}
	}
}

// checkVariables allows at package level what never changes: error sentinels, embedded files, tables that nobody assigns to, and
// assertions about types. Names are resolved by the type checker, which needs no imports for that.
func (f *folder) checkVariables() {
	var syntax []*ast.File
	for _, s := range f.code() {
		syntax = append(syntax, s.syntax)
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	conf := types.Config{Error: func(error) {}, Importer: nothing{}}
	pkg, _ := conf.Check(f.path, f.files, syntax, &info) // complaints are expected: nothing is imported
	for _, s := range f.code() {
		for _, d := range s.syntax.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR || s.generated {
				continue
			}
			for _, spec := range g.Specs {
				f.checkVariable(g, spec.(*ast.ValueSpec), info.Defs)
			}
		}
	}
	f.inspect(func(_ source, n ast.Node) {
		for _, target := range written(n) {
			id := root(target)
			if id != nil && info.Uses[id] != nil && info.Uses[id].Parent() == pkg.Scope() {
				f.report(id.Pos(), "the package variable %s is written to; a table never changes", id.Name)
			}
		}
	})
}

func (f *folder) checkVariable(g *ast.GenDecl, spec *ast.ValueSpec, defs map[*ast.Ident]types.Object) {
	embedded := embeds(g.Doc) || embeds(spec.Doc)
	for i, n := range spec.Names {
		if n.Name == "_" || embedded {
			continue
		}
		if i < len(spec.Values) && (table(spec.Values[i], defs[n]) || sentinel(n.Name, spec.Values[i])) {
			continue
		}
		f.report(n.Pos(), "the package variable %s is neither an error sentinel, an embedded file nor a table; "+
			"pass it in or make it a constant", n.Name)
	}
}

func embeds(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// table says that a value is written out and is an array, a slice or a map, under whatever name.
func table(value ast.Expr, variable types.Object) bool {
	if _, ok := value.(*ast.CompositeLit); !ok {
		return false
	}
	switch variable.Type().Underlying().(type) {
	case *types.Array, *types.Slice, *types.Map:
		return true
	}
	return false
}

// sentinel says that a value is an error to compare with.
func sentinel(name string, value ast.Expr) bool {
	call, ok := value.(*ast.CallExpr)
	if !ok || !strings.HasPrefix(strings.ToLower(name), "err") {
		return false
	}
	made := types.ExprString(call.Fun)
	return made == "errors.New" || made == "fmt.Errorf"
}

// written lists the expressions that a node writes to, or whose address it takes.
func written(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		return n.Lhs
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.RangeStmt:
		return []ast.Expr{n.Key, n.Value}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			return []ast.Expr{n.X}
		}
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && slices.Contains([]string{"clear", "copy", "delete"}, id.Name) {
			return n.Args[:1]
		}
	}
	return nil
}

// root is the variable at the bottom of an expression that can be written to.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// nothing imports nothing: the checker then knows the names of the package itself, which is all that is asked of it.
type nothing struct{}

func (nothing) Import(name string) (*types.Package, error) {
	return nil, fmt.Errorf("%s is not looked at", name)
}
