package gateway

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
)

// No push takes the name of one of the gateway's own families with another type: the
// scrape would be unreadable. That holds before anything has happened, too.
func TestOwnFamiliesAreReserved(t *testing.T) {
	used := start(t, configOf(t))
	used.ask(http.MethodPut, "/metrics/job/a", "a 1\n")
	used.ask(http.MethodPut, "/metrics/job/a", "no sample\n")
	used.ask(http.MethodPut, "//metrics/job/a", "a 1\n")
	used.ask(http.MethodDelete, "/metrics/job/a", "")
	_, scraped := used.ask(http.MethodGet, "/metrics", "")
	used.end()

	fresh := start(t, configOf(t))
	defer fresh.end()
	families := 0
	for lines := bufio.NewScanner(strings.NewReader(scraped)); lines.Scan(); {
		name, kind, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "# TYPE "), " ")
		if !ok || !strings.HasPrefix(lines.Text(), "# TYPE ") || strings.HasPrefix(name, "push_") || name == "a" {
			continue
		}
		families++
		other := map[bool]string{true: "counter", false: "gauge"}[kind == "gauge"]
		if status, answer := fresh.ask(http.MethodPut, "/metrics/job/b", "# TYPE "+name+" "+other+"\n"+name+" 1\n"); status != http.StatusBadRequest {
			t.Errorf("a push of %s as a %s: %d %s", name, other, status, answer)
		}
	}
	if families < 40 {
		t.Errorf("only %d families of the gateway's own in\n%s", families, scraped)
	}
}
