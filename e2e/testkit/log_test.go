package testkit

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestLog(t *testing.T) {
	var l Log
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 100 {
				fmt.Fprintln(&l, "a line")
			}
		})
	}
	for range 100 {
		if text := l.String(); text != strings.Repeat("a line\n", len(text)/7) {
			t.Fatalf("a line is cut off: %q", text)
		}
	}
	writers.Wait()
	if got := strings.Count(l.String(), "a line\n"); got != 400 {
		t.Errorf("got %d lines", got)
	}
}
