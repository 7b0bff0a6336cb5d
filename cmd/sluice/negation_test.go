package main

import (
	"slices"
	"strings"
	"testing"
)

func TestWithoutNegations(t *testing.T) {
	f := func(args, want string) {
		t.Helper()
		if got := withoutNegations(strings.Fields(args), serveFlags()); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: got %s, want %s", args, got, want)
		}
	}
	f("sluice", "sluice")
	f("sluice serve --no-web.enable-lifecycle", "sluice serve --web.enable-lifecycle=false")
	f("sluice --no-push.disable-consistency-check --log.level=info", "sluice --push.disable-consistency-check=false --log.level=info")
	f("sluice --no-log.level", "sluice --no-log.level") // no such flag
	f("sluice --no-such-flag", "sluice --no-such-flag")
	f("sluice -- --no-web.enable-lifecycle", "sluice -- --no-web.enable-lifecycle")
}
