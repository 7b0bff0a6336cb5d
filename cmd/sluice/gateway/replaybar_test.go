package gateway

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
)

func TestBar(t *testing.T) {
	f := func(done, total uint64, want string) {
		t.Helper()
		if got := bar(done, total); got != want {
			t.Errorf("%d of %d: got %q, want %q", done, total, got, want)
		}
	}
	f(0, 0, "replaying ["+strings.Repeat(".", 40)+"]   0% of 0 events")
	f(50, 100, "replaying ["+strings.Repeat("#", 20)+strings.Repeat(".", 20)+"]  50% of 100 events")
	f(120, 100, "replaying ["+strings.Repeat("#", 40)+"] 100% of 100 events")
}

func TestDrawReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		step := uint64(0)
		drawReplay(t.Context(), &out, func() (done, total uint64, ready bool) {
			step++
			return step * 10, 30, step == 3
		})
		got := strings.Split(out.String(), "\r")
		if len(got) != 5 || !strings.Contains(got[1], " 33%") || !strings.Contains(got[2], " 67%") || strings.TrimSpace(got[3]) != "" || got[4] != "" {
			t.Errorf("got %q", got)
		}
	})
}
