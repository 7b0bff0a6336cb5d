package check

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// readDockerfile parses ../Dockerfile as BuildKit does, which has to find
// nothing to warn of.
func readDockerfile(t *testing.T) (stages []instructions.Stage, args map[string]string) {
	t.Helper()
	file, err := os.Open("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	parsed, err := parser.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range parsed.Warnings {
		t.Errorf("warning: %s", w.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, description, _, message string, location []parser.Range) {
		t.Errorf("%s: %s (%s) at %v", rule, message, description, location)
	}})
	stages, meta, err := instructions.Parse(parsed.AST, lint)
	if err != nil {
		t.Fatal(err)
	}
	args = map[string]string{}
	for _, m := range meta {
		for _, a := range m.Args {
			args[a.Key] = a.ValueString()
		}
	}
	return stages, args
}

// The image is what README promises: nothing but the binary and certificates,
// a user by number, and a data folder that is this user's.
func TestDockerfile(t *testing.T) {
	stages, _ := readDockerfile(t)
	if len(stages) != 2 || stages[1].BaseName != "scratch" {
		t.Fatalf("the image is not made from scratch: %v", stages)
	}
	have := map[string]string{}
	for _, c := range stages[1].Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			have["user"] = c.User
		case *instructions.VolumeCommand:
			have["volume"] = strings.Join(c.Volumes, " ")
		case *instructions.ExposeCommand:
			have["port"] = strings.Join(c.Ports, " ")
		case *instructions.EntrypointCommand:
			have["entrypoint"] = fmt.Sprint(c.CmdLine, c.PrependShell)
		case *instructions.EnvCommand:
			for _, e := range c.Env {
				have[e.Key] = e.Value
			}
		case *instructions.CopyCommand:
			if c.From != stages[0].Name {
				t.Errorf("%s copies from %q", c, c.From)
			}
			have["copy "+c.DestPath] = strings.Join(c.SourcePaths, " ") + " " + c.Chown
		default:
			t.Errorf("the image has %s", c)
		}
	}
	want := map[string]string{
		"user": "65532:65532", "volume": "/data", "port": "9091", "entrypoint": "[/sluice] false", "SLUICE_BUS_DATA_DIR": "/data",
		"copy /sluice": "/image/sluice ", "copy /data": "/image/data 65532:65532",
		"copy /etc/ssl/certs/ca-certificates.crt": "/etc/ssl/certs/ca-certificates.crt ",
	}
	if !maps.Equal(have, want) {
		t.Errorf("have %q\nwant %q", have, want)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "65532") {
		t.Error("README does not tell the user id of the image")
	}
}

// The builder is a Go that can build the module, and gets all that it needs.
func TestDockerfileBuilds(t *testing.T) {
	stages, args := readDockerfile(t)
	if base := stages[0].BaseName; base != "golang:${GO_VERSION}" {
		t.Errorf("built with %s", base)
	}
	gomod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(gomod)
	if version == nil || string(version[1]) != args["GO_VERSION"] {
		t.Errorf("go.mod wants Go %s, the Dockerfile has %s", version, args["GO_VERSION"])
	}

	// What COPY . . leaves out is neither a Go package of the program nor part of one.
	ignored, err := os.ReadFile("../../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir("../..")
	if err != nil {
		t.Fatal(err)
	}
	outside := []string{".*", "build", "deploy", "docs", "e2e", "sluice-data", "**/*_test.go", "**/testdata", "*.md", "Makefile"}
	for line := range strings.Lines(string(ignored)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && !slices.Contains(outside, line) {
			t.Errorf(".dockerignore leaves out %q, which may be needed", line)
		}
	}
	if len(entries) == 0 {
		t.Error("there is nothing to build")
	}
}
