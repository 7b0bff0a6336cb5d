package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A comparison with the recorded answers in which answers were not compared must fail
// and say so. The suites here stand in for e2e/conformance; they print what theirs does.
func TestConformanceComparesAllCases(t *testing.T) {
	python := debian(t, "python3")
	script, err := filepath.Abs("conformance.sh")
	if err != nil {
		t.Fatal(err)
	}
	const cases = `{"cases": [{"id": "a"}, {"id": "b"}, {"id": "om-counter"}, {"id": "c", "informative": true}]}`
	run := func(suite string) (output string, failed bool) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), script, suite, "no-binary", filepath.Join(t.TempDir(), "out"))
		cmd.Dir = t.TempDir()
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(python)+":"+os.Getenv("PATH"))
		known := filepath.Join(t.TempDir(), "differs.txt")
		if err := os.WriteFile(known, []byte("# Reasons.\nom-counter it differs on purpose\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd.Env = append(cmd.Env, "CONFORMANCE_DIFFERS="+known)
		out, err := cmd.CombinedOutput()
		return string(out), err != nil
	}
	f := func(name, prints, want string) {
		t.Helper()
		suite := t.TempDir()
		for file, text := range map[string]string{"cases.json": cases, "profiles.py": "import sys\nprint('''" + prints + "''')\nsys.exit(1)\n"} {
			if err := os.WriteFile(filepath.Join(suite, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		output, failed := run(suite)
		if failed != (want != "") || !strings.Contains(output, want) {
			t.Errorf("%s: failed is %t, and it says %q, want %q", name, failed, output, want)
		}
	}
	f("all agree but the known one", "== base\n1 of 1 cases agree\n== utf8\nDIFF om-counter [x]: y\n1 of 2 cases agree", "")
	f("nothing is compared", "", "0 of 3 cases were compared")
	f("a profile is left out", "1 of 1 cases agree", "1 of 3 cases were compared")
	f("an answer was not recorded", "b: not in golden.json\nDIFF om-counter [x]: y\n1 of 3 cases agree", "2 of 3 cases were compared")
	f("another one differs", "DIFF a [x]: y\nDIFF om-counter [x]: y\n1 of 3 cases agree", "differs and is not in")
	f("the known one agrees", "3 of 3 cases agree", "agrees by now")

	absent := filepath.Join(t.TempDir(), "absent")
	if output, failed := run(absent); !failed || !strings.Contains(output, absent+" is absent") {
		t.Errorf("without a suite: failed is %t, and it says %q", failed, output)
	}
}
