// Package compat_test checks what compat/zk promises: that it stands in for go-zookeeper/zk by a line in a go.mod.
package compat_test

import (
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quollhq/quoll/test/harness"
)

// TestSameAPI holds the exported declarations of compat/zk against the original's.
func TestSameAPI(t *testing.T) {
	if testing.Short() {
		t.Skip("asks the go command for a module; not with -short")
	}
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/go-zookeeper/zk")
	cmd.Dir = filepath.Join(root, "test", "clients", "go")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want, got := api(t, strings.TrimSpace(string(out))), api(t, filepath.Join(root, "compat", "zk"))
	if len(want) < 150 {
		t.Fatalf("the original has %d declarations", len(want))
	}
	for name, decl := range want {
		switch has, ok := got[name]; {
		case !ok:
			t.Errorf("%s is missing: %s", name, decl)
		case has != decl:
			t.Errorf("%s is %q, not %q", name, has, decl)
		}
	}
}

// api is what a package exports: the types of functions and fields, and the kinds of all else, by name.
func api(t *testing.T, dir string) map[string]string {
	t.Helper()
	fset := token.NewFileSet()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	add := func(name, decl string) {
		for part := range strings.SplitSeq(name, ".") {
			if !ast.IsExported(part) {
				return
			}
		}
		names[name] = decl
	}
	s := source{t, fset}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					name = strings.TrimPrefix(s.text(d.Recv.List[0].Type), "*") + "." + name
				}
				add(name, s.function(d.Type))
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					s.spec(d.Tok, spec, add)
				}
			}
		}
	}
	return names
}

type source struct {
	t    *testing.T
	fset *token.FileSet
}

func (s source) spec(tok token.Token, spec ast.Spec, add func(name, decl string)) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, n := range spec.Names {
			add(n.Name, tok.String())
		}
	case *ast.TypeSpec:
		switch typ := spec.Type.(type) {
		case *ast.StructType:
			add(spec.Name.Name, "struct")
			for _, f := range typ.Fields.List {
				for _, n := range f.Names {
					add(spec.Name.Name+"."+n.Name, s.text(f.Type))
				}
			}
		case *ast.InterfaceType:
			add(spec.Name.Name, "interface")
			for _, f := range typ.Methods.List {
				for _, n := range f.Names {
					add(spec.Name.Name+"."+n.Name, s.function(f.Type.(*ast.FuncType)))
				}
			}
		case *ast.FuncType:
			add(spec.Name.Name, s.function(typ))
		default:
			add(spec.Name.Name, s.text(typ))
		}
	}
}

// function is a function's type without the names of parameters.
func (s source) function(f *ast.FuncType) string {
	list := func(fields *ast.FieldList) string {
		var types []string
		if fields != nil {
			for _, f := range fields.List {
				for range max(1, len(f.Names)) {
					types = append(types, s.text(f.Type))
				}
			}
		}
		return "(" + strings.Join(types, ", ") + ")"
	}
	return "func" + list(f.Params) + list(f.Results)
}

func (s source) text(n ast.Node) string {
	var b strings.Builder
	if err := printer.Fprint(&b, s.fset, n); err != nil {
		s.t.Fatal(err)
	}
	return b.String()
}
