package testkit

import (
	"strconv"
	"testing"
)

func TestMust(t *testing.T) {
	if got := Must(strconv.Atoi("7")); got != 7 {
		t.Errorf("got %d", got)
	}
	defer func() {
		if got, want := recover(), `unexpected error: strconv.Atoi: parsing "x": invalid syntax`; got != want {
			t.Errorf("it panics with %v, want %v", got, want)
		}
	}()
	Must(strconv.Atoi("x"))
}
