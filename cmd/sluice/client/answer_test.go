package client

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	f := func(text string, want time.Duration) {
		t.Helper()
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	f("", 0)
	f("0", 0)
	f("1", time.Second)
	f(" 60 ", time.Minute)
	f("-1", 0)
	f("1.5", 0)
	f("soon", 0)
	f("18446744073709551615", 24*time.Hour)
	f("99999999999999999999999", 24*time.Hour)
	f("Wed, 25 Nov 2026 12:00:07 GMT", 7*time.Second)
	f("Wed, 25 Nov 2026 11:00:00 GMT", 0)
	f("Fri, 25 Nov 2033 11:00:00 GMT", 24*time.Hour)
}

func TestPrintable(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := Printable(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	f("first\nsecond ä", "first\nsecond ä")
	f("\x1b[31mred\r\u202e", "?[31mred??")
}

func TestStatusText(t *testing.T) {
	f := func(status int, text, want string) {
		t.Helper()
		if got := statusText(status, text); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(400, "bad", "400 bad")
	f(404, "404 page not found", "404 page not found")
	f(502, "", "502 Bad Gateway")
	f(799, "", "799")
}
