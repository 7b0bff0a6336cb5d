package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Refused is a verdict that trying again does not change.
type Refused struct {
	// By is the address that answered.
	By string
	// Status is the HTTP status, or the code of the reply over NATS.
	Status int
	// Text is what came with it; its first line is the gist.
	Text string
}

// Error returns all of it.
func (e *Refused) Error() string {
	return fmt.Sprintf("refused by %s: %s", e.By, statusText(e.Status, e.Text))
}

func statusText(status int, text string) string {
	if text == "" {
		text = http.StatusText(status)
	}
	if code := strconv.Itoa(status); !strings.HasPrefix(text, code) {
		text = code + " " + text
	}
	return strings.TrimSpace(text)
}

// accepted tells whether a change was taken. Pushgateway answers 200 to a push,
// 202 to a delete and to a push that it does not check. Whatever answers 204 or
// 201 is no gateway.
func accepted(status int) bool { return status == http.StatusOK || status == http.StatusAccepted }

// passing tells whether a status may be another one later, or at another
// address. Of the refusals 507 is none of these: the stream, which is the same
// for all gateways, is full.
func passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// unknown tells whether the change may have been taken nevertheless.
func unknown(status int) bool {
	return status == http.StatusInternalServerError || status == http.StatusBadGateway ||
		status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// retryAfter reads the header of that name, in seconds or as a date; 0 if there
// is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	const most = 24 * 60 * 60 // beyond any time that somebody waits, and far from an overflow
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, most)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), most*time.Second)
	}
	return 0
}

// textOf reads what an answer says beside its status: the plain text, or the
// error of a JSON answer. Pages are left out.
func textOf(r *http.Response) string {
	raw, _ := io.ReadAll(io.LimitReader(r.Body, maxText)) // what came counts
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch kind {
	case "application/json":
		var answer struct {
			Error string `json:"error"`
		}
		if json.Unmarshal(raw, &answer) == nil {
			return Printable(answer.Error)
		}
	case "text/html":
		return ""
	}
	return Printable(strings.TrimSpace(string(raw)))
}

// Printable returns a text that others have made without what a terminal might
// obey.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}
