package main

import (
	"os"
	"strings"
	"testing"
)

// Every flag stands in the page that says what is new and what is not.
func TestFlagsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range serveFlags() {
		if name := "`--" + f.Names()[0] + "`"; !strings.Contains(string(page), name) {
			t.Errorf("docs/compatibility.md says nothing of %s", name)
		}
	}
	for _, name := range []string{
		"web.config.file", "web.listen-address", "web.systemd-socket", "web.telemetry-path", "web.external-url", "web.route-prefix",
		"web.enable-lifecycle", "web.enable-admin-api", "persistence.file", "persistence.interval",
		"push.disable-consistency-check", "push.enable-utf8-names", "log.level", "log.format",
	} {
		found := false
		for _, f := range serveFlags() {
			found = found || f.Names()[0] == name
		}
		if !found {
			t.Errorf("there is no flag --%s, which Pushgateway has", name)
		}
	}
}
