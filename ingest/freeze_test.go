package ingest

import (
	"testing"
	"time"
)

func TestAFreezeIsDetected(t *testing.T) {
	var d freezeDetector
	now := time.Now()
	f := func(after time.Duration, want bool) {
		t.Helper()
		if got := d.recently(now.Add(after)); got != want {
			t.Errorf("after %s: recently is %t", after, got)
		}
	}
	f(time.Hour, false) // is not running
	d.tick(now)
	f(freezeTick, false)
	d.tick(now.Add(freezeTick))
	f(2*freezeTick, false)
	f(15*time.Second, true) // before the first freezeTick after it
	d.tick(now.Add(15 * time.Second))
	f(15*time.Second+freezeTail/2, true)
	d.tick(now.Add(15*time.Second + freezeTick))
	d.tick(now.Add(15*time.Second + 2*freezeTail))
	f(15*time.Second+2*freezeTail, true) // late once more
	d.tick(now.Add(15*time.Second + 2*freezeTail + freezeTick))
	f(16*time.Second+3*freezeTail, true)
	for i := range 40 {
		d.tick(now.Add(15*time.Second + 2*freezeTail + time.Duration(i)*freezeTick))
	}
	f(15*time.Second+2*freezeTail+40*freezeTick, false)
}
