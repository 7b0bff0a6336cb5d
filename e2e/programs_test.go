package e2e

import (
	"path/filepath"
	"testing"

	"sluice/e2e/testkit"
)

// debian returns the path of a program that a Debian package brings. A test whose
// program is absent fails.
func debian(tb testing.TB, name string) string {
	tb.Helper()
	pkg, other := map[string]string{"node": "nodejs"}[name]
	if !other {
		pkg = name
	}
	return testkit.Program(tb, name, "Debian package "+pkg+"; make tools installs it")
}

// natsCLI returns the path of the nats command line client, which has no package.
func natsCLI(tb testing.TB) string {
	tb.Helper()
	path, err := filepath.Abs(filepath.Join("..", "build", "bin", "nats"))
	if err != nil {
		tb.Fatal(err)
	}
	return testkit.Program(tb, path, "make tools installs it")
}
