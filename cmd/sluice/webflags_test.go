package main

import (
	"testing"
	"time"
)

// Clients push at round intervals, and a connection that is closed just then loses
// a push.
func TestIdleConnectionsOutliveTheUsualIntervals(t *testing.T) {
	o, err := configOf()
	if err != nil {
		t.Fatal(err)
	}
	if idle := o.gateway.IdleTimeout; idle <= time.Hour || idle%(5*time.Minute) == 0 {
		t.Errorf("--web.idle-timeout is %s", idle)
	}
}
