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

// The flags that are set to another value than the default are told, whether by the
// command line or by the environment.
func TestChangedDefaults(t *testing.T) {
	t.Setenv("SLUICE_PUSH_MAX_GROUPS", "7")
	var got map[string]string
	flags := serveFlags()
	app := &cli.App{Flags: flags, Action: func(c *cli.Context) error {
		got = changedDefaults(flagTexts(c, flags))
		return nil
	}}
	if err := app.Run([]string{"sluice", "--bus.history=5", "--web.listen-address=:1", "--push.wait=10s", "--log.level=info"}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"bus.history": "1", "web.listen-address": ":9091", "push.wait": "8s", "push.max-groups": "1000000"}
	for name, text := range want {
		if got[name] == "" || got[name] != text {
			t.Errorf("%s: got %q, want %q", name, got[name], text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
}
