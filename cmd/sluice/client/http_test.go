package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// ample is a time that a test does not need.
const ample = time.Minute

// at answers with a status and headers, and counts.
func at(count *atomic.Int64, status int, text string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		count.Add(1)
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, text)
	}
}

func serverOf(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// deadAddress is one that nobody listens on.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// hangingAddress is one whose listener takes connections as a stopped process
// does, and never answers.
func hangingAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "http://" + l.Addr().String()
}

func clientOf(t *testing.T, timeout time.Duration, addresses ...string) *HTTP {
	t.Helper()
	return clientWith(t, HTTPConfig{Timeout: timeout}, addresses...)
}

func clientWith(t *testing.T, cfg HTTPConfig, addresses ...string) *HTTP {
	t.Helper()
	var err error
	if cfg.Addresses, err = ParseAddresses(addresses); err != nil {
		t.Fatal(err)
	}
	h, err := NewHTTP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

var push = Change{Method: "post", Group: "/job/x", Body: []byte("m 1\n")}

// Whatever is wrong with the first address for the moment, the second one is
// asked, and has the verdict.
func TestNextAddress(t *testing.T) {
	var bad atomic.Int64
	for name, first := range map[string]string{
		"dead":                deadAddress(t),
		"hanging":             hangingAddress(t),
		"unknown host":        "http://gateway.invalid:9091",
		"503":                 serverOf(t, at(&bad, 503, "replaying", "Retry-After", "1")),
		"503 for an hour":     serverOf(t, at(&bad, 503, "busy", "Retry-After", "3600")),
		"503 without a time":  serverOf(t, at(&bad, 503, "")),
		"429 for a second":    serverOf(t, at(&bad, 429, "slow down", "Retry-After", "1")),
		"408":                 serverOf(t, at(&bad, 408, "")),
		"500":                 serverOf(t, at(&bad, 500, "")),
		"502":                 serverOf(t, at(&bad, 502, "<html>", "Content-Type", "text/html")),
		"504":                 serverOf(t, at(&bad, 504, "")),
		"closed in the midst": serverOf(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var good atomic.Int64
			timeout := ample
			if name == "hanging" || name == "unknown host" {
				timeout = 6 * time.Second // of which it gets half
			}
			h := clientOf(t, timeout, first, serverOf(t, at(&good, 200, "")))
			if err := h.Change(t.Context(), push); err != nil || good.Load() != 1 {
				t.Errorf("got %v after %d pushes", err, good.Load())
			}
		})
	}
}

// A verdict ends it at once, whatever the other addresses would say, and its
// text is told.
func TestVerdictsAreFinal(t *testing.T) {
	for _, status := range []int{201, 204, 400, 401, 403, 404, 405, 413, 429, 501, 507} {
		var asked, others atomic.Int64
		h := clientOf(t, ample, deadAddress(t), serverOf(t, at(&asked, status, "because\nhow to cure it\n", "Retry-After", "60")), serverOf(t, at(&others, 200, "")))
		err := h.Change(t.Context(), push)
		var refused *Refused
		if !errors.As(err, &refused) || refused.Status != status || asked.Load() != 1 || others.Load() != 0 {
			t.Errorf("%d: got %v, asked %d and %d times", status, err, asked.Load(), others.Load())
		} else if status != 204 && refused.Text != "because\nhow to cure it" {
			t.Errorf("%d: got the text %q", status, refused.Text)
		}
	}
	for _, status := range []int{200, 202} {
		var asked atomic.Int64
		h := clientOf(t, ample, serverOf(t, at(&asked, status, "")))
		if err := h.Change(t.Context(), push); err != nil || asked.Load() != 1 {
			t.Errorf("%d: got %v after %d pushes", status, err, asked.Load())
		}
	}
}

// Round after round, not sooner than each address says, until one takes it.
func TestRetryAfterIsHonoured(t *testing.T) {
	var count atomic.Int64
	var mu sync.Mutex
	var times []time.Time
	address := serverOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		times = append(times, time.Now())
		mu.Unlock()
		if count.Add(1) < 3 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(503)
		}
	}))
	if err := clientOf(t, ample, deadAddress(t), address).Change(t.Context(), push); err != nil {
		t.Fatal(err)
	}
	if len(times) != 3 || times[1].Sub(times[0]) < time.Second || times[2].Sub(times[1]) < time.Second {
		t.Errorf("asked at %v", times)
	}
}

// Whatever the addresses do, the time is not passed, and the error has one line
// with the last reason of each.
func TestTimeIsBounded(t *testing.T) {
	const timeout, slack = 2 * time.Second, 20 * time.Second // slack is for slow machines: without a bound none would end
	var count atomic.Int64
	slow := serverOf(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // the end of a connection is seen behind the body
		<-r.Context().Done()
	}))
	trickle := serverOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			time.Sleep(time.Millisecond)
		}
	}))
	for _, c := range []struct {
		name      string
		addresses []string
		wants     []string
		least     time.Duration // while there is use in waiting
	}{
		{"dead", []string{deadAddress(t)}, []string{"connection refused", "tries"}, timeout - 2*lastPause},
		{"hanging", []string{hangingAddress(t)}, []string{"no answer within", "safe to try again"}, timeout},
		{"slow and dead", []string{slow, deadAddress(t)}, []string{"no answer within", "connection refused", "safe to try again"}, timeout - 2*lastPause},
		{"refusing for now", []string{serverOf(t, at(&count, 503, "first\nsecond", "Retry-After", "1"))}, []string{"503 first\nsecond", "safe to try again"}, time.Second},
		{"refusing for long", []string{serverOf(t, at(&count, 503, "later", "Retry-After", "3600"))}, []string{"503 later"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			begin, timeout := time.Now(), timeout
			if c.least == 0 {
				timeout = ample
			}
			err := clientOf(t, timeout, c.addresses...).Change(t.Context(), push)
			took := time.Since(begin)
			if err == nil || took < c.least || took > 2*time.Second+slack {
				t.Fatalf("got %v after %s", err, took)
			}
			for _, want := range append(c.wants, c.addresses...) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: does not have %q", err, want)
				}
			}
		})
	}
	t.Run("endless answer", func(t *testing.T) {
		t.Parallel()
		begin := time.Now()
		_, err := clientOf(t, timeout, trickle).Get(t.Context(), "/x", nil, 1<<40)
		if err == nil || time.Since(begin) > timeout+slack || strings.Contains(err.Error(), "safe to try again") {
			t.Errorf("got %v after %s", err, time.Since(begin))
		}
	})
}

// The next gateway gets a push when the one before has none any more.
func TestOneGatewayAtATime(t *testing.T) {
	gone := make(chan struct{})
	slow := serverOf(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // the end of a connection is seen behind the body
		<-r.Context().Done()
		close(gone)
	}))
	good := serverOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-gone:
		case <-r.Context().Done():
			t.Error("the first gateway had the push as long as the second")
		}
	}))
	// The second attempt has five seconds for the news that the first has ended.
	if err := clientOf(t, 10*time.Second, slow, good).Change(t.Context(), push); err != nil {
		t.Error(err)
	}
}

// Each try has the whole push, as it was told.
func TestRequests(t *testing.T) {
	body := bytes.Repeat([]byte("m 1\n"), 1000)
	var tries atomic.Int64
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(got, body) || r.Method != "PUT" || r.RequestURI != "/pre/metrics/job/b%20c/a@base64/Lw?ttl=1h" ||
			r.Header.Get("Content-Type") != "a/b" || r.Header.Get("Content-Encoding") != "gzip" || !strings.HasPrefix(r.UserAgent(), "sluice/") {
			t.Errorf("%s %s, %d bytes, %v: %v", r.Method, r.RequestURI, len(got), r.Header, err)
		}
		if user, password, _ := r.BasicAuth(); user != "u" || password != "p" {
			t.Errorf("got the user %s:%s", user, password)
		}
		if tries.Add(1) < 3 {
			w.WriteHeader(502)
		}
	})
	address := strings.Replace(serverOf(t, h), "://", "://u:p@", 1) + "/pre"
	c := Change{Method: "put", Group: "/job/b%20c/a@base64/Lw", TTL: "1h", ContentType: "a/b", ContentEncoding: "gzip", Body: body}
	if err := clientOf(t, ample, address).Change(t.Context(), c); err != nil || tries.Load() != 3 {
		t.Errorf("got %v after %d tries", err, tries.Load())
	}
}

func TestDeleteHasNoBody(t *testing.T) {
	address := serverOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "DELETE" || r.RequestURI != "/metrics/job/x" || r.ContentLength != 0 || r.Header.Get("Content-Type") != "" {
			t.Errorf("%s %s, length %d, %v", r.Method, r.RequestURI, r.ContentLength, r.Header)
		}
		w.WriteHeader(202)
	}))
	if err := clientOf(t, ample, address).Change(t.Context(), Change{Method: "delete", Group: "/job/x"}); err != nil {
		t.Error(err)
	}
}

// A push keeps its method and body where it is redirected, or is not redirected.
func TestRedirects(t *testing.T) {
	var got atomic.Value
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got.Store(r.Method + " " + string(body))
	})
	for prefix, status := range map[string]int{"/a": 307, "/b": 308, "/c": 301, "/d": 302, "/e": 303} {
		mux.HandleFunc(prefix+"/metrics/", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, strings.TrimPrefix(r.URL.Path, prefix), status)
		})
	}
	address := serverOf(t, mux)
	for _, prefix := range []string{"/a", "/b"} {
		got.Store("")
		if err := clientOf(t, ample, address+prefix).Change(t.Context(), push); err != nil || got.Load() != "POST m 1\n" {
			t.Errorf("%s: got %v, and there %q", prefix, err, got.Load())
		}
	}
	for _, prefix := range []string{"/c", "/d", "/e"} {
		got.Store("")
		err := clientOf(t, ample, address+prefix).Change(t.Context(), push)
		if err == nil || !strings.Contains(err.Error(), "redirected to /metrics/job/x, which is not followed") || got.Load() != "" {
			t.Errorf("%s: got %v, and there %q", prefix, err, got.Load())
		}
	}
}

// A gateway may refuse a large push without reading it.
func TestRefusalOfALargePush(t *testing.T) {
	var count atomic.Int64
	large := Change{Method: "put", Group: "/job/x", Body: make([]byte, 8<<20)}
	err := clientOf(t, ample, serverOf(t, at(&count, 413, "too large"))).Change(t.Context(), large)
	var refused *Refused
	if !errors.As(err, &refused) || refused.Status != 413 || count.Load() != 1 {
		t.Errorf("got %v after %d tries", err, count.Load())
	}
	taken := serverOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); n != 8<<20 || err != nil {
			t.Errorf("got %d bytes, %v", n, err)
		}
	}))
	if err := clientOf(t, ample, taken).Change(t.Context(), large); err != nil {
		t.Error(err)
	}
}

func TestGet(t *testing.T) {
	var bad, asked atomic.Int64
	address := serverOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		io.WriteString(w, r.RequestURI)
	}))
	h := clientOf(t, ample, deadAddress(t), serverOf(t, at(&bad, 503, "", "Retry-After", "3600")), address)
	body, err := h.Get(t.Context(), "/api/v1/groups", url.Values{"match[]": {`{a="b"}`}}, 1000)
	if want := "/api/v1/groups?match%5B%5D=%7Ba%3D%22b%22%7D"; err != nil || string(body) != want {
		t.Errorf("got %s, %v, want %s", body, err, want)
	}
	if _, err := clientOf(t, ample, address).Get(t.Context(), "/0123456789", nil, 10); err == nil || !strings.Contains(err.Error(), "longer than 10 bytes") {
		t.Errorf("got %v", err)
	}
	api := serverOf(t, at(&bad, 400, `{"status":"error","errorType":"bad_data","error":"parameter limit"}`, "Content-Type", "application/json"))
	if _, err := clientOf(t, ample, api).Get(t.Context(), "/x", nil, 10); err == nil || !strings.HasSuffix(err.Error(), "400 parameter limit") {
		t.Errorf("got %v", err)
	}
}

// Whoever interrupts it does not wait.
func TestInterrupted(t *testing.T) {
	var count atomic.Int64
	for name, address := range map[string]string{
		"while it is asked": hangingAddress(t), "while it waits": serverOf(t, at(&count, 503, "", "Retry-After", "50")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			defer time.AfterFunc(200*time.Millisecond, func() { cancel(errors.New("enough")) }).Stop()
			begin := time.Now()
			err := clientOf(t, ample, address).Change(ctx, push)
			if err == nil || !strings.Contains(err.Error(), "interrupted: enough") || time.Since(begin) > ample/2 {
				t.Errorf("got %v after %s", err, time.Since(begin))
			}
		})
	}
}
