package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// program is one package as it was read: its text, its syntax and its types.
type program struct {
	name  string // as it was asked for, such as vrrp/node
	dir   string
	rapid bool // its tests use pgregory.net/rapid, whose flags they then have
	set   *token.FileSet
	files []file
	pkg   *types.Package
	info  types.Info
}

// file is one file of a program.
type file struct {
	path   string // absolute
	text   []byte
	syntax *ast.File
}

// listed is what `go list` says of a package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
	TestImports             []string
	XTestImports            []string
	DepOnly                 bool
}

// load reads and type-checks one package of the module that the process stands in. Imports come from export data, so
// that only this package is checked from its source.
func load(name string) (*program, error) {
	packages, err := list(name)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(packages, func(l listed) bool { return !l.DepOnly })
	if at < 0 {
		return nil, fmt.Errorf("%s is not a package", name)
	}
	p := &program{name: name, dir: packages[at].Dir, set: token.NewFileSet()}
	p.rapid = slices.Contains(append(packages[at].TestImports, packages[at].XTestImports...), "pgregory.net/rapid")
	for _, base := range packages[at].GoFiles {
		if err := p.read(filepath.Join(p.dir, base)); err != nil {
			return nil, err
		}
	}
	return p, p.check(packages)
}

// list asks the go command for a package and everything that it imports.
func list(name string) ([]listed, error) {
	command := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,TestImports,XTestImports,DepOnly",
		"./"+filepath.ToSlash(filepath.Clean(name)))
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", name, err)
	}
	var packages []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var l listed
		switch err := decoder.Decode(&l); err {
		case nil:
			packages = append(packages, l)
		case io.EOF:
			return packages, nil
		default:
			return nil, fmt.Errorf("go list %s: %w", name, err)
		}
	}
}

func (p *program) read(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	syntax, err := parser.ParseFile(p.set, path, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	p.files = append(p.files, file{path, text, syntax})
	return nil
}

func (p *program) check(packages []listed) error {
	exports := map[string]string{}
	for _, l := range packages {
		exports[l.ImportPath] = l.Export
	}
	open := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	p.info = types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: importer.ForCompiler(p.set, "gc", open)}
	var syntax []*ast.File
	for _, f := range p.files {
		syntax = append(syntax, f.syntax)
	}
	var err error
	p.pkg, err = conf.Check(p.name, p.set, syntax, &p.info)
	return err
}
