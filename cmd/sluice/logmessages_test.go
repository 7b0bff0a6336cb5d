package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Each log message is a literal that stands in one place, so that a line of the log
// leads to the code that wrote it.
func TestLogMessagesAreLiteralAndUnique(t *testing.T) {
	root := filepath.Join("..", "..")
	// These write messages of others: of nats-server, and of their callers.
	passOn := []string{"bus/embed/serverlog.go", "bus/limitlog/limitlog.go"}
	files := token.NewFileSet()
	where := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		inside := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		if strings.HasPrefix(inside, "e2e/") || slices.Contains(passOn, inside) {
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			message := loggedMessage(call)
			if message == nil {
				return true
			}
			position := files.Position(call.Pos()).String()
			literal, ok := message.(*ast.BasicLit)
			switch {
			case !ok || literal.Kind != token.STRING:
				t.Errorf("%s: the message is no literal", position)
			case where[literal.Value] != "":
				t.Errorf("%s: %s is a message of %s, too", position, literal.Value, where[literal.Value])
			default:
				where[literal.Value] = position
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(where) < 30 {
		t.Errorf("only %d messages were found", len(where))
	}
}

// loggedMessage returns the message of a call of a logger, nil if it is none.
func loggedMessage(call *ast.CallExpr) ast.Expr {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 || !slices.Contains([]string{"Debug", "Info", "Warn", "Error"}, method.Sel.Name) {
		return nil
	}
	name := ""
	switch on := method.X.(type) {
	case *ast.Ident:
		name = on.Name
	case *ast.SelectorExpr:
		name = on.Sel.Name
	}
	if !strings.HasSuffix(strings.ToLower(name), "logger") && name != "log" && name != "limited" {
		return nil
	}
	return call.Args[0]
}
