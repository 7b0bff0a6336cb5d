package gateway

import (
	"strings"
	"testing"

	"sluice/bus"
	"sluice/bus/embed"
)

// A stream that cannot be written stops pushes, and leaves scrapes.
func TestScrapesGoOnWithoutTheStream(t *testing.T) {
	f := func(status bus.Status, pushes, scrapes string) {
		t.Helper()
		if got := notReady(status, false, true); !strings.Contains(got, pushes) || got == "" {
			t.Errorf("pushes: got %q, want %q", got, pushes)
		}
		if got := notReady(forScrapes(status), false, true); got != scrapes {
			t.Errorf("scrapes: got %q, want %q", got, scrapes)
		}
	}
	f(bus.Status{Ready: true}, "cannot be reached", "")
	f(bus.Status{Ready: true, Connected: true, Restoring: "it was purged"}, "it was purged", "")
	f(bus.Status{Ready: true, Connected: true, Disk: embed.Disk{Free: 1, Reserve: 2}}, "1 bytes are free", "")
	f(bus.Status{Connected: true, Waiting: "for a leader"}, "for a leader", "for a leader")
}
