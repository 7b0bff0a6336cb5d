package ingest

import (
	"testing"
	"time"
)

func TestAThawIsNoticed(t *testing.T) {
	var p pulse
	now := time.Now()
	f := func(after time.Duration, want bool) {
		t.Helper()
		if got := p.thawing(now.Add(after)); got != want {
			t.Errorf("after %s: thawing is %t", after, got)
		}
	}
	f(time.Hour, false) // has not begun
	p.beatAt(now)
	f(beat, false)
	p.beatAt(now.Add(beat))
	f(2*beat, false)
	f(15*time.Second, true) // before the first beat after it
	p.beatAt(now.Add(15 * time.Second))
	f(15*time.Second+thawTime/2, true)
	p.beatAt(now.Add(15*time.Second + beat))
	p.beatAt(now.Add(15*time.Second + 2*thawTime))
	f(15*time.Second+2*thawTime, true) // late once more
	p.beatAt(now.Add(15*time.Second + 2*thawTime + beat))
	f(16*time.Second+3*thawTime, true)
	for i := range 40 {
		p.beatAt(now.Add(15*time.Second + 2*thawTime + time.Duration(i)*beat))
	}
	f(15*time.Second+2*thawTime+40*beat, false)
}
