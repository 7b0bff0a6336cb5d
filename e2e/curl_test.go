package e2e

import (
	"errors"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A curlResult is the result of a run of curl.
type curlResult struct {
	exit                    int
	code, version, redirect string // of the last answer
	body, log               string // log is what curl says with --verbose
}

// is checks the last answer's code.
func (c curlResult) is(t *testing.T, code string) {
	t.Helper()
	if c.exit != 0 || c.code != code {
		t.Errorf("curl ended with %d and the answer %s %q, want 0 and %s:\n%s", c.exit, c.code, c.body, code, c.log)
	}
}

// runCurl runs curl with these arguments, without the user's configuration file.
func runCurl(t *testing.T, stdin string, args ...string) curlResult {
	t.Helper()
	const mark = "\n--- "
	cmd := exec.CommandContext(t.Context(), debian(t, "curl"), append([]string{"--disable", "--silent", "--show-error", "--verbose", "--max-time", "20",
		"--write-out", mark + "%{http_code} %{http_version} %{redirect_url}"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, log strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &log
	err := cmd.Run()
	c := curlResult{log: log.String()}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		c.exit = exit.ExitCode()
	} else if err != nil {
		t.Fatalf("curl: %v", err)
	}
	at := strings.LastIndex(out.String(), mark)
	if at < 0 {
		t.Fatalf("curl wrote %q", out.String())
	}
	c.body = out.String()[:at]
	fields := append(strings.Split(out.String()[at+len(mark):], " "), "", "", "")
	c.code, c.version, c.redirect = fields[0], fields[1], fields[2]
	return c
}

// Common ways to call curl, and what they store.
func TestCurlHabits(t *testing.T) {
	g := newSite(t).start("--web.enable-admin-api")
	s := g.site
	s.record("two", "a 1\nb 2\n")
	s.record("large", "# "+strings.Repeat("x", 4<<20)+"\na 1\n")
	s.record("zipped", zipped("a 1\n"))
	in := func(name string) string { return filepath.Join(s.dir, name) }
	a, b := "a"+jobX()+" 1", "b"+jobX()+" 2"
	url := g.url + "/metrics/job/x"

	f := func(name, stdin string, args []string, code string, shows ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			g.must(http.StatusAccepted, http.MethodPut, "/api/v1/admin/wipe", "")
			runCurl(t, stdin, args...).is(t, code)
			if lines, _ := g.scrape().withoutTimes(); !slices.Equal(lines, shows) {
				t.Errorf("shown is %q, want %q", lines, shows)
			}
		})
	}
	f("data-binary from standard input", "a 1\nb 2\n", []string{"--data-binary", "@-", url}, "200", a, b)
	f("data-binary from a file", "", []string{"--data-binary", "@" + in("two"), url}, "200", a, b)
	f("-d @file drops line feeds", "", []string{"-d", "@" + in("two"), url}, "400")
	f("-d with a text has no line feed at its end", "", []string{"-d", "a 1", url}, "400")
	f("-d with a line feed of the shell", "", []string{"-d", "a 1\nb 2\n", url}, "200", a, b)
	f("--data-urlencode", "", []string{"--data-urlencode", "a 1\n", url}, "400")
	f("--json", "", []string{"--json", `{"a":1}`, url}, "400")
	f("-F is a form", "", []string{"-F", "file=@" + in("two"), url}, "400")
	f("-X PUT", "a 1\n", []string{"-X", "PUT", "--data-binary", "@-", url}, "200", a)
	f("-T is PUT", "", []string{"-T", in("two"), url}, "200", a, b)
	f("-T - is PUT in chunks", "a 1\nb 2\n", []string{"-T", "-", url}, "200", a, b)
	f("-T with a slash at the end of the URL adds the file's name: an odd path", "", []string{"-T", in("two"), url + "/"}, "400")
	f("chunks by POST", "a 1\n", []string{"-X", "POST", "-H", "Transfer-Encoding: chunked", "-T", "-", url}, "200", a)
	f("chunks of data-binary", "a 1\n", []string{"-H", "Transfer-Encoding: chunked", "--data-binary", "@-", url}, "200", a)
	f("HTTP/1.0", "a 1\n", []string{"-0", "--data-binary", "@-", url}, "200", a)
	f("gzip", "", []string{"-H", "Content-Encoding: gzip", "--data-binary", "@" + in("zipped"), url}, "200", a)
	f("gzip without its header", "", []string{"--data-binary", "@" + in("zipped"), url}, "400")
	f("an empty body", "", []string{"-X", "POST", url}, "200")
	f("HTTP/2 without TLS is asked for in vain", "a 1\n", []string{"--http2", "--data-binary", "@-", url}, "200", a)
	f("a double slash is not followed by itself", "a 1\n", []string{"--data-binary", "@-", g.url + "//metrics/job/x"}, "307")
	f("a double slash is followed with -L, and the body is sent again", "a 1\n", []string{"-L", "--data-binary", "@-", g.url + "//metrics/job/x"}, "200", a)
	f("an empty value is followed with -L to another path", "a 1\n", []string{"-L", "--data-binary", "@-", url + "/l//k/v"}, "400")
	f("-X DELETE", "", []string{"-X", "DELETE", url}, "202")
	f("several requests on one connection", "", []string{"-d", "a 1\n", url, "--next", "-d", "a 2", url, "--next", "-d", "b 2\n", url}, "200", a, b)

	t.Run("a large body waits for 100 Continue and gets it", func(t *testing.T) {
		c := runCurl(t, "", "--http1.1", "-H", "Expect: 100-continue", "--data-binary", "@"+in("large"), url)
		c.is(t, "200")
		if !strings.Contains(c.log, "100 Continue") || strings.Contains(c.log, "Done waiting for 100-continue") {
			t.Errorf("curl was not told to go on:\n%s", c.log)
		}
	})
	t.Run("a large body on a wrong path is not asked for", func(t *testing.T) {
		c := runCurl(t, "", "--http1.1", "-H", "Expect: 100-continue", "--data-binary", "@"+in("large"), url+"/odd")
		if c.code != "400" || strings.Contains(c.log, "100 Continue") {
			t.Errorf("answered by %s:\n%s", c.code, c.log)
		}
	})
	t.Run("--compressed", func(t *testing.T) {
		c := runCurl(t, "", "--compressed", g.url+"/metrics")
		c.is(t, "200")
		if !strings.Contains(strings.ToLower(c.log), "content-encoding: gzip") {
			t.Errorf("the scrape was not compressed:\n%s", c.log)
		}
		if e, err := readExposition(c.body); err != nil || e.types["go_goroutines"] != "gauge" {
			t.Errorf("%v: %.200s", err, c.body)
		}
	})
	t.Run("--fail tells scripts", func(t *testing.T) {
		if c := runCurl(t, "a 1", "--fail", "--data-binary", "@-", url); c.exit != 22 || c.code != "400" {
			t.Errorf("curl ended with %d, %s", c.exit, c.code)
		}
	})
}
