package testkit

import (
	"os/exec"
	"testing"
)

// Program returns the path of a program that the test runs, by its name or path. If
// the program is absent the test fails, and says which one and how to get it.
func Program(tb testing.TB, name, how string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		tb.Fatalf("this test runs %s, which is absent (%s): %v", name, how, err)
	}
	return path
}
