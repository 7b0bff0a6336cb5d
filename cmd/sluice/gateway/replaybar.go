package gateway

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"sluice/bus"
)

const (
	// barWidth is the width of the bar in characters.
	barWidth = 40
	// barInterval is how often the bar is drawn. A replay that is shorter shows
	// none.
	barInterval = 200 * time.Millisecond
)

// showReplay draws a bar during the first replay if out is a terminal. A log file
// gets lines of the bus instead.
func showReplay(ctx context.Context, b *bus.Bus, out *os.File) {
	if !term.IsTerminal(int(out.Fd())) {
		return
	}
	drawReplay(ctx, out, func() (done, total uint64, ready bool) {
		s := b.Status()
		return s.ReplayDone, s.ReplayTotal, s.Ready
	})
}

// drawReplay draws the bar until the replay is done, and removes it then.
func drawReplay(ctx context.Context, out io.Writer, progress func() (done, total uint64, ready bool)) {
	tick := time.NewTicker(barInterval)
	defer tick.Stop()
	drawn := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		done, total, ready := progress()
		if ready {
			if drawn {
				fmt.Fprintf(out, "\r%s\r", strings.Repeat(" ", len(bar(done, total))))
			}
			return
		}
		fmt.Fprintf(out, "\r%s", bar(done, total))
		drawn = true
	}
}

// bar returns the bar as text.
func bar(done, total uint64) string {
	share := 0.0
	if total > 0 {
		share = min(float64(done)/float64(total), 1)
	}
	full := int(share * barWidth)
	return fmt.Sprintf("replaying [%s%s] %3.0f%% of %d events", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), 100*share, total)
}
