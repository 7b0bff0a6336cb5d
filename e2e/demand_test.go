package e2e

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The demand tests try mistakes and habits that users of Pushgateway have reported. The
// name of a case says what and where (PGW#n is an issue of prometheus/pushgateway). The
// answers are those of Pushgateway 1.11.3, unless the name says that Sluice does more.

// maxRefusal bounds the text of a refusal. Clients cut off longer texts, if they show
// them at all.
const maxRefusal = 1024

// A step is one request of a case and its expected answer.
type step struct {
	method, path, body string
	headers            []string // name and value in turn; no others are sent
	code               int
	says               []string // patterns for the first line of the answer, in any case of letters
	cures              []string // patterns for the whole answer
	location           string   // where a redirect leads
}

// put, post and del are requests for the group with a key, /job/x for example,
// that are accepted unless a method below says otherwise.
func put(key, body string) step {
	return step{method: http.MethodPut, path: "/metrics" + key, body: body, code: http.StatusOK}
}

func post(key, body string) step {
	return step{method: http.MethodPost, path: "/metrics" + key, body: body, code: http.StatusOK}
}

func del(key string) step {
	return step{method: http.MethodDelete, path: "/metrics" + key, code: http.StatusAccepted}
}

func get(path string) step {
	return step{method: http.MethodGet, path: path, code: http.StatusOK}
}

// refused returns the step with the answer 400 and these patterns for its text.
func (s step) refused(says ...string) step {
	s.code, s.says = http.StatusBadRequest, says
	return s
}

// answers is the step answered by this code, with such a text.
// cured is the step whose answer has such a text in one of its lines.
func (s step) cured(cures ...string) step {
	s.cures = cures
	return s
}

func (s step) answers(code int, says ...string) step {
	s.code, s.says = code, says
	return s
}

// redirects returns the step with a redirect to this location as its answer.
func (s step) redirects(location string) step {
	s.code, s.location = http.StatusTemporaryRedirect, location
	return s
}

// with returns the step with one more header.
func (s step) with(name, value string) step {
	s.headers = append(slices.Clone(s.headers), name, value)
	return s
}

// A demand is a case: requests to an empty gateway, and what it shows afterwards.
type demand struct {
	name   string
	steps  []step
	shows  []string // all series of all groups, but their times; sorted by the test
	types  []string // "family type" of some of the families shown
	failed []string // labels of all groups with a failure time, as a scrape writes them
}

// testDemands tries the cases one after another on one gateway with these flags.
func testDemands(t *testing.T, flags []string, demands []demand) {
	t.Helper()
	g := newSite(t).start(append([]string{"--web.enable-admin-api"}, flags...)...)
	names := map[string]bool{}
	for _, d := range demands {
		if names[d.name] {
			t.Errorf("two cases have the name %s", d.name)
		}
		names[d.name] = true
		t.Run(d.name, func(t *testing.T) { d.try(t, g) })
	}
}

func (d demand) try(t *testing.T, g *sluice) {
	g.must(http.StatusAccepted, http.MethodPut, "/api/v1/admin/wipe", "")
	for _, s := range d.steps {
		s.try(t, g)
	}
	a, err := g.do(http.MethodGet, "/metrics", "")
	if err != nil || a.code != http.StatusOK {
		t.Fatalf("scrape: %d %s, %v", a.code, a.body, err)
	}
	e, err := readExposition(a.body)
	if err != nil {
		t.Fatal(err)
	}
	helped := map[string]bool{}
	for line := range strings.Lines(a.body) {
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			name, _, _ := strings.Cut(rest, " ")
			if helped[name] {
				t.Errorf("the scrape has two HELP lines of %s", name)
			}
			helped[name] = true
		}
	}
	shown, failed := e.withoutTimes()
	if want := slices.Sorted(slices.Values(d.shows)); !slices.Equal(shown, want) {
		t.Errorf("shown are\n%s\nwant\n%s", strings.Join(shown, "\n"), strings.Join(want, "\n"))
	}
	if want := slices.Sorted(slices.Values(d.failed)); !slices.Equal(failed, want) {
		t.Errorf("a failure time have %v, want %v", failed, want)
	}
	for _, declared := range d.types {
		family, want, _ := strings.Cut(declared, " ")
		if e.types[family] != want {
			t.Errorf("%s is shown as %q, want %s", family, e.types[family], want)
		}
	}
}

func (s step) try(t *testing.T, g *sluice) {
	t.Helper()
	a, err := g.exchange(s)
	if err != nil {
		t.Fatal(err)
	}
	request := fmt.Sprintf("%s %.200s %q %.300q", s.method, s.path, s.headers, s.body)
	if a.code != s.code {
		t.Errorf("%s: %d %.500q, want %d", request, a.code, a.body, s.code)
	}
	if pushed := s.method == http.MethodPut || s.method == http.MethodPost || s.method == http.MethodDelete; pushed && a.code/100 == 2 && a.body != "" {
		t.Errorf("%s: accepted with a text: %q", request, a.body)
	}
	if a.code == http.StatusBadRequest {
		checkRefusal(t, request, a)
	}
	first, _, _ := strings.Cut(a.body, "\n")
	for _, pattern := range s.says {
		if !regexp.MustCompile("(?i)" + pattern).MatchString(first) {
			t.Errorf("%s: the answer's first line does not say %q: %q", request, pattern, first)
		}
	}
	for _, pattern := range s.cures {
		if !regexp.MustCompile("(?i)" + pattern).MatchString(a.body) {
			t.Errorf("%s: the answer does not say %q: %q", request, pattern, a.body)
		}
	}
	if s.location != "" && a.header.Get("Location") != s.location {
		t.Errorf("%s: redirected to %q, want %q", request, a.header.Get("Location"), s.location)
	}
}

// checkRefusal checks that client libraries can show the text of a refusal: they log
// its first line, or cut it off.
func checkRefusal(t *testing.T, request string, a answer) {
	t.Helper()
	if media, _, err := mime.ParseMediaType(a.header.Get("Content-Type")); err != nil || media != "text/plain" {
		t.Errorf("%s: refused as %q, want plain text", request, a.header.Get("Content-Type"))
	}
	if first, _, _ := strings.Cut(a.body, "\n"); strings.TrimSpace(first) == "" || len(first) > maxRefusal {
		t.Errorf("%s: refused with a first line of %d bytes: %.200q", request, len(first), first)
	}
}

// exchange sends the request unchanged, path included, and follows no redirect.
func (g *sluice) exchange(s step) (answer, error) {
	req, err := http.NewRequest(s.method, g.url+s.path, strings.NewReader(s.body))
	if err != nil {
		return answer{}, err
	}
	for i := 0; i+1 < len(s.headers); i += 2 {
		req.Header.Set(s.headers[i], s.headers[i+1])
	}
	resp, err := g.site.client.Transport.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, string(text), resp.Header}, err
}

// withoutTimes returns the lines of all series of groups but their push and
// failure times, and the labels of all groups with a failure time, both sorted.
func (e exposition) withoutTimes() (lines, failed []string) {
	for _, line := range e.pushed() {
		if labels, ok := strings.CutPrefix(line, "push_failure_time_seconds"); ok {
			if labels, never := strings.CutSuffix(labels, " 0"); !never {
				failed = append(failed, labels[:strings.LastIndexByte(labels, ' ')])
			}
		} else if !strings.HasPrefix(line, "push_time_seconds{") {
			lines = append(lines, line)
		}
	}
	return lines, failed
}

// jobX is how a scrape writes the labels of the group /job/x, or those of a
// series in it that has the given labels more, which sort before job.
func jobX(more ...string) string {
	return "{" + strings.Join(slices.Sorted(slices.Values(append(more, `instance=""`, `job="x"`))), ",") + "}"
}
