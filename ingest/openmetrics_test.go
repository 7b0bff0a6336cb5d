package ingest

import (
	"strings"
	"testing"

	"sluice/bus"
)

// A right push that another push without # EOF is in the way of says so, and so
// does the push itself that lacked it.
func TestRefusalsByAMissingEOF(t *testing.T) {
	const om = "application/openmetrics-text; version=1.0.0"
	g := startGateway(t, bus.Config{}, defaultCommitter)
	f := func(job, body string, want int, says string) {
		t.Helper()
		code, text := g.do("PUT", "/metrics/job/"+job, body, "Content-Type", om)
		if code != want || !strings.Contains(text, says) {
			t.Errorf("%s %q: %d %q, want %d with %q", job, body, code, text, want, says)
		}
		if want != 200 {
			checkText(t, text)
		}
	}
	f("a", "# TYPE req counter\nreq_total -1\n# EOF\n", 400, `counter "req" must not be -1`)
	f("b", "# TYPE req counter\nreq_total 1\n# EOF\n", 200, "")
	f("c", "# TYPE req counter\nreq_total 1\n", 400, "This push was read as text format, since it has no line # EOF")
	f("d", "# TYPE late counter\nlate_total 1\n", 200, "")
	f("e", "# TYPE late counter\nlate_total 1\n# EOF\n", 400, "The group /job/d may have been pushed as OpenMetrics without the line # EOF")
}
