package testkit

import (
	"os/exec"
	"strings"
	"testing"
)

func TestProgram(t *testing.T) {
	want, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	if got := Program(t, "go", "the distribution"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got := said(func(tb testing.TB) { Program(tb, "no-such-program", "Debian package none") })
	if want := "this test runs no-such-program, which is absent (Debian package none): "; !strings.HasPrefix(got, want) {
		t.Errorf("it says %q, want it to begin with %q", got, want)
	}
}
