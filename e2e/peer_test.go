package e2e

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/e2e/testkit"
)

// TestAnswersAreThoseOfPushgateway sends random requests to Sluice and to Debian's
// Pushgateway (1.5 in Debian 12). Codes and what is shown must be the same; texts need
// not. It leaves out what has changed since that version (snappy, UTF-8 names, 301 for
// 307, gzip bodies that end early) and the empty instance, where Sluice refuses pushes
// that break the scrapes of a Pushgateway.
func TestAnswersAreThoseOfPushgateway(t *testing.T) {
	const requests, between = 300, 10
	s := newSite(t)
	ours, theirs := s.start(), startPushgateway(s, testkit.FreeAddress(t), "")
	random := requestMaker{newRand(t), t}
	var history strings.Builder
	t.Cleanup(func() { s.record("requests.txt", history.String()) }) // kept if the test fails
	codes := map[int]int{}
	for n := range requests {
		request := random.step()
		fmt.Fprintf(&history, "%d: %s %s %q %.300q\n", n, request.method, request.path, request.headers, request.body)
		have, err := ours.exchange(request)
		if err != nil {
			t.Fatal(err)
		}
		want, err := theirs.exchange(request)
		if err != nil {
			t.Fatal(err)
		}
		codes[have.code]++
		if redirected := have.code == http.StatusTemporaryRedirect && want.code == http.StatusMovedPermanently; !redirected && have.code != want.code {
			t.Errorf("request %d: %s %s %q %.300q: %d %q, Pushgateway answers %d %q", n, request.method, request.path, request.headers, request.body, have.code, have.body, want.code, want.body)
		}
		if (n+1)%between != 0 {
			continue
		}
		// A Pushgateway answers a DELETE before it has deleted.
		var difference string
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if difference = differ(ours.scrape(), theirs.scrape()); difference == "" || time.Now().After(deadline) {
				break
			}
		}
		if difference != "" {
			t.Fatalf("after request %d: %s", n, difference)
		}
	}
	t.Logf("codes and how often: %v", codes)
	for _, code := range []int{200, 202, 400} {
		if codes[code] < requests/20 {
			t.Errorf("%d was answered %d times only: the requests are no good test", code, codes[code])
		}
	}
}

// differ returns what two gateways show differently, "" if nothing.
func differ(ours, theirs exposition) string {
	haveLines, haveFailed := ours.withoutTimes()
	wantLines, wantFailed := theirs.withoutTimes()
	if !slices.Equal(haveLines, wantLines) || !slices.Equal(haveFailed, wantFailed) {
		return fmt.Sprintf("shown is\n%s\nfailed %q, in Pushgateway\n%s\nfailed %q", strings.Join(haveLines, "\n"), haveFailed, strings.Join(wantLines, "\n"), wantFailed)
	}
	for family, want := range theirs.types {
		if have := ours.types[family]; strings.HasPrefix(family, "m_") && have != want {
			return fmt.Sprintf("%s is shown as %q, in Pushgateway as %q", family, have, want)
		}
	}
	return ""
}

// A requestMaker makes random requests, good and bad ones.
type requestMaker struct {
	*rand.Rand
	t *testing.T
}

// one returns one of the texts.
func (r requestMaker) one(of ...string) string { return of[r.IntN(len(of))] }

// in returns true once in n times.
func (r requestMaker) in(n int) bool { return r.IntN(n) == 0 }

func (r requestMaker) step() step {
	s := step{method: r.one(http.MethodPut, http.MethodPost, http.MethodPost, http.MethodDelete), path: r.path()}
	if s.method == http.MethodDelete {
		return s
	}
	switch r.IntN(8) {
	case 0:
		s.body = delimited(r.t, nativeHistogram())
		s = s.with("Content-Type", delimitedProtobuf)
	case 1:
		s.body = gauge("m_"+r.one("a", "b", "c"), float64(r.IntN(9)))
		s = s.with("Content-Type", delimitedProtobuf)
	default:
		s.body = r.text()
		if r.in(3) {
			s = s.with("Content-Type", r.one("text/plain; version=0.0.4", "application/x-www-form-urlencoded", "application/json", "nonsense"))
		}
	}
	if r.in(4) {
		s.body = zipped(s.body)
		if !r.in(5) {
			s = s.with("Content-Encoding", "gzip")
		}
	}
	return s
}

// path returns the path of a group, or one that is almost right.
func (r requestMaker) path() string {
	path := "/metrics/" + r.pair("job", r.one("a", "b", "x y", "ä", "a+b"))
	names := []string{"instance", "dc", "path"}
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names[:r.IntN(3)] {
		value := r.one("v", "w", "", "a/b", "x y", `"\`)
		if name == "instance" && value == "" {
			value = "i"
		}
		if r.in(25) {
			name = r.one("my-label", "__name__", "1st", "job", "ä")
		}
		path += "/" + r.pair(name, value)
	}
	switch r.IntN(25) {
	case 0:
		path += "/odd"
	case 1:
		path = strings.Replace(path, "/metrics", r.one("/metric", "/metrics/metrics", "/api/v1/metrics", "//metrics"), 1)
	}
	return path
}

// pair writes a label of a group into a path.
func (r requestMaker) pair(name, value string) string {
	if strings.Contains(value, "/") && !r.in(5) || value == "" || r.in(4) {
		encoding := base64.URLEncoding
		switch r.IntN(6) {
		case 0:
			encoding = base64.StdEncoding
		case 1, 2:
			encoding = base64.RawURLEncoding
		}
		if value == "" {
			return name + "@base64/="
		}
		return name + "@base64/" + url.PathEscape(encoding.EncodeToString([]byte(value)))
	}
	return url.PathEscape(name) + "/" + url.PathEscape(value)
}

// text returns a body in the text format, or one that is almost right.
func (r requestMaker) text() string {
	var b strings.Builder
	for _, name := range []string{"m_a", "m_b", "m_c"}[r.IntN(3):] {
		labels := r.one("", "", `{l="1"}`, `{l="2",k="x\"y"}`, `{instance="v"}`, `{dc="w",}`, `{l=""}`)
		value := r.one("1", "2.5", "-3e9", "NaN", "+Inf", "0")
		if r.in(4) {
			fmt.Fprintf(&b, "# HELP %s %s\n", name, r.one("some text", "", `back\\slash\n`))
		}
		kind := strings.Index("_abc", name[2:]) // each name has a type that it mostly has
		if r.in(6) {
			kind = r.IntN(6)
		}
		switch kind {
		case 0:
			fmt.Fprintf(&b, "# TYPE %s counter\n%s%s %s\n", name, name, labels, value)
		case 1, 2:
			fmt.Fprintf(&b, "# TYPE %s gauge\n%s%s %s\n", name, name, labels, value)
		case 3:
			fmt.Fprintf(&b, "# TYPE %s histogram\n%s_bucket{le=\"1\"} 1\n%s_bucket{le=\"+Inf\"} 3\n%s_sum 4\n%s_count 3\n", name, name, name, name, name)
		case 4:
			fmt.Fprintf(&b, "# TYPE %s summary\n%s{quantile=\"0.5\"} 1\n%s_sum 4\n%s_count 3\n", name, name, name, name)
		case 5:
			fmt.Fprintf(&b, "%s%s %s\n", name, labels, value)
		}
	}
	body := b.String()
	switch r.IntN(16) {
	case 0:
		body = strings.TrimSuffix(body, "\n")
	case 1:
		body = strings.ReplaceAll(body, "\n", "\r\n")
	case 2:
		body = strings.Replace(body, "\n", " 1700000000000\n", 1)
	case 3:
		body += body
	case 4:
		body += r.one("m_x{p='a'} 1\n", "m_x 3,14\n", "m-x 1\n", "m_x\n", "m_x{p=\"a\" 1\n", "m_x 1 2 3\n", "# TYPE m_x gauge\nm_x 1\n# TYPE m_x gauge\n")
	case 5:
		body = r.one("", "\n", "# nothing\n")
	case 6:
		body += r.one("m_x 1\nm_x 2\n", "m_x{l=\"1\"} 1\nm_x{l=\"1\"} 1\n", "m_x{job=\"1\"} 1\nm_x{job=\"2\"} 1\n")
	}
	return body
}
