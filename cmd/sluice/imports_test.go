package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Imports point one way, and the store stays free of I/O.
func TestImports(t *testing.T) {
	allowed := map[string][]string{
		"store":         {"sluice/store/words"},
		"bus":           {"sluice/bus/embed", "sluice/bus/event", "sluice/bus/limitlog", "sluice/store"},
		"ingest/decode": {"sluice/ingest/quote", "sluice/store"},
		"ingest":        {"sluice/bus", "sluice/bus/limitlog", "sluice/store", "sluice/store/selector", "sluice/store/search", "sluice/ingest/decode", "sluice/ingest/explain", "sluice/ingest/quote"},
		"exposer":       {"sluice/store"},
		"cmd/sluice":    {"sluice/bus", "sluice/bus/embed", "sluice/store", "sluice/ingest", "sluice/exposer/api", "sluice/store/words", "sluice/cmd/sluice/gateway", "sluice/cmd/sluice/client"},

		"bus/embed":    {"sluice/bus/limitlog"},
		"bus/event":    {"sluice/store"},
		"bus/limitlog": {},

		"cmd/sluice/gateway": {"sluice/bus", "sluice/store", "sluice/ingest", "sluice/ingest/importfile", "sluice/ingest/rules", "sluice/exposer", "sluice/exposer/api", "sluice/exposer/page"},

		"cmd/sluice/client": {"sluice/ingest"},

		"exposer/api":  {"sluice/bus", "sluice/store", "sluice/store/selector", "sluice/store/search"},
		"exposer/page": {"sluice/exposer/api", "sluice/store/words", "sluice/store/search"},

		"ingest/explain":    {"sluice/ingest/decode", "sluice/ingest/quote", "sluice/store"},
		"ingest/quote":      {},
		"ingest/rules":      {"sluice/ingest", "sluice/store", "sluice/store/selector"},
		"store/selector":    {"sluice/store"},
		"store/search":      {"sluice/store"},
		"store/words":       {},
		"ingest/importfile": {"sluice/bus", "sluice/store", "sluice/store/words", "sluice/ingest/decode"},

		"e2e/testkit": {"sluice/store"},
	}
	forbidden := map[string][]string{
		"store":          {"os", "net", "time", "context", "log/slog", "github.com/nats-io/"},
		"ingest/decode":  {"os", "net", "log/slog", "github.com/nats-io/"},
		"ingest/explain": {"os", "net", "log/slog", "github.com/nats-io/"},
		"ingest":         {"github.com/nats-io/nats.go/jetstream", "github.com/nats-io/nats-server"},
		"bus":            {"net/http", "github.com/nats-io/nats-server"},
		"exposer":        {"github.com/nats-io/"},
		"exposer/api":    {"github.com/nats-io/"},
		"exposer/page":   {"github.com/nats-io/"},

		"ingest/importfile": {"net", "github.com/nats-io/"},

		"bus/embed": {"net/http", "github.com/nats-io/nats.go/jetstream", "github.com/nats-io/jsm.go"},
		"bus/event": {"os", "net", "log/slog", "github.com/nats-io/nats.go/jetstream", "github.com/nats-io/nats-server"},
	}
	for dir, ours := range allowed {
		files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(dir), "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files (%v)", dir, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range parsed.Imports {
				path, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(path, "sluice/") && !slices.Contains(ours, path) {
					t.Errorf("%s imports %s", file, path)
				}
				for _, bad := range forbidden[dir] {
					if path == bad || strings.HasPrefix(path, bad+"/") || strings.HasSuffix(bad, "/") && strings.HasPrefix(path, bad) {
						t.Errorf("%s imports %s", file, path)
					}
				}
			}
		}
	}
}

// The helpers of tests stay in tests.
func TestImportsOfTestHelpers(t *testing.T) {
	root, imported := filepath.Join("..", ".."), 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path == filepath.Join(root, "build"):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			if spec.Path.Value != `"sluice/e2e/testkit"` {
				continue
			}
			imported++
			if !strings.HasSuffix(path, "_test.go") {
				t.Errorf("%s imports %s", path, spec.Path.Value)
			}
		}
		return nil
	})
	if err != nil || imported == 0 {
		t.Errorf("%d files import it (%v)", imported, err)
	}
}
