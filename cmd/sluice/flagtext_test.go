package main

import (
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

// Flags with several values are told as they are given.
func TestFlagText(t *testing.T) {
	f := func(value any, want string) {
		t.Helper()
		if got := flagText(value); got != want {
			t.Errorf("%v: %s, want %s", value, got, want)
		}
	}
	f(*cli.NewStringSlice(":9091", "localhost:9092"), ":9091,localhost:9092")
	f(*cli.NewStringSlice(), "")
	f(true, "true")
	f(8*time.Second, "8s")
}
