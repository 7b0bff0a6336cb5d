// Command loadtest measures Sluice at several sizes beside the anchors of
// loadgen, which do nothing but read what is pushed, on the same machine in the
// same run. It prints a table with the ratios and fails if a floor is missed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// seriesPerGroup is what a push of a small batch job has; all sizes use it.
const seriesPerGroup = 20

// sizes are the numbers of groups: a site, a large site, and the size at which
// anything that grows with what is stored can no longer hide.
var sizes = []int{100, 10_000, 100_000}

func main() {
	bin := flag.String("bin", "build", "`folder` with the binaries sluice, loadgen and anchors")
	duration := flag.Duration("duration", 4*time.Second, "how long each load runs; there are three of each kind and size")
	conns := flag.Int("conns", 8, "connections of each load")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	missed, err := run(ctx, machine{bin: *bin, duration: *duration, conns: *conns})
	stop()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "loadtest:", err)
		os.Exit(2)
	case missed:
		os.Exit(1)
	}
}

// run measures all sizes, prints the table and tells whether a floor was missed.
func run(ctx context.Context, m machine) (missed bool, err error) {
	results := make([]result, len(sizes))
	for i, groups := range sizes {
		fmt.Fprintf(os.Stderr, "measuring %d groups of %d series\n", groups, seriesPerGroup)
		if results[i], err = m.measure(ctx, groups); err != nil {
			return false, fmt.Errorf("%d groups: %w", groups, err)
		}
	}
	printTable(os.Stdout, results)
	return printFloors(os.Stdout, results), nil
}

// measure measures a fresh Sluice with so many groups, and the anchors.
func (m machine) measure(ctx context.Context, groups int) (result, error) {
	r := result{groups: groups}
	folder, err := os.MkdirTemp("", "sluice-loadtest-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(folder)

	dataDir := filepath.Join(folder, "data")
	if err := m.load(ctx, dataDir, &r); err != nil {
		return r, err
	}
	return r, m.replay(ctx, dataDir, &r)
}
