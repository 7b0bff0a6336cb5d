package main

import (
	"errors"
	"testing"
)

func TestOneLine(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := oneLine(errors.New(text)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f("plain", "plain")
	f("yaml: unmarshal errors:\n  line 1: a\n  line 2: b", "yaml: unmarshal errors: line 1: a; line 2: b")
	f("first\n\nsecond\r\n", "first; second")
}
