package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"
)

// report is what is used of loadgen's reports.
type report struct {
	Rate      float64 `json:"pushes_per_s"`
	Failed    int     `json:"failed"`
	Groups    int     `json:"groups"`
	LatencyMS struct {
		P50 float64 `json:"p50"`
		P99 float64 `json:"p99"`
	} `json:"latency_ms"`
}

// median returns the report with the middle rate.
func median(reports [rounds]report) report {
	slices.SortFunc(reports[:], func(a, b report) int { return cmp.Compare(a.Rate, b.Rate) })
	return reports[rounds/2]
}

// result is what one size came to.
type result struct {
	groups                 int
	fill                   float64
	readOnly, parseOnly    report // of the anchors
	push                   report
	scrape, gzipScrape     report
	replay                 time.Duration // from the start of the process to ready
	loadedRSS, replayedRSS int64
}

func (r result) series() int { return r.groups * seriesPerGroup }

func (r result) replayRate() float64 { return float64(r.series()) / r.replay.Seconds() }

func (r result) ofReadOnly() float64 { return r.push.Rate / r.readOnly.Rate }

func (r result) bytesPerSeries() float64 { return float64(r.loadedRSS) / float64(r.series()) }

func printTable(w io.Writer, results []result) {
	row := func(name string, value func(result) string) {
		fmt.Fprintf(w, "%-40s", name)
		for _, r := range results {
			fmt.Fprintf(w, "%12s", value(r))
		}
		fmt.Fprintln(w)
	}
	number := func(format string, value func(result) float64) func(result) string {
		return func(r result) string { return fmt.Sprintf(format, value(r)) }
	}
	row("groups", func(r result) string { return fmt.Sprint(r.groups) })
	row("series", func(r result) string { return fmt.Sprint(r.series()) })
	row("pushes/s of a handler that only reads", number("%.0f", func(r result) float64 { return r.readOnly.Rate }))
	row("pushes/s of one that parses with expfmt", number("%.0f", func(r result) float64 { return r.parseOnly.Rate }))
	row("pushes/s of sluice", number("%.0f", func(r result) float64 { return r.push.Rate }))
	row("ratio to reading", number("%.2f", result.ofReadOnly))
	row("ratio to expfmt", number("%.2f", func(r result) float64 { return r.push.Rate / r.parseOnly.Rate }))
	row("push p50 ms", number("%.2f", func(r result) float64 { return r.push.LatencyMS.P50 }))
	row("push p99 ms", number("%.2f", func(r result) float64 { return r.push.LatencyMS.P99 }))
	row("new groups/s", number("%.0f", func(r result) float64 { return r.fill }))
	row("scrape p50 ms", number("%.1f", func(r result) float64 { return r.scrape.LatencyMS.P50 }))
	row("gzip scrape p50 ms", number("%.1f", func(r result) float64 { return r.gzipScrape.LatencyMS.P50 }))
	row("start to ready s", number("%.2f", func(r result) float64 { return r.replay.Seconds() }))
	row("replayed series/s", number("%.0f", result.replayRate))
	row("resident MB after the load", number("%.0f", func(r result) float64 { return float64(r.loadedRSS) / 1e6 }))
	row("resident MB after the replay", number("%.0f", func(r result) float64 { return float64(r.replayedRSS) / 1e6 }))
	row("bytes a series after the load", number("%.0f", result.bytesPerSeries))
}

// printFloors compares the results with what shows that the shape is right,
// and reports whether one was missed. Replay and memory are judged at the largest
// size, where what is fixed no longer counts.
func printFloors(w io.Writer, results []result) (missed bool) {
	slowest, fastest, leastRatio := results[0], results[0], results[0]
	for _, r := range results {
		if r.push.Rate < slowest.push.Rate {
			slowest = r
		}
		if r.push.Rate > fastest.push.Rate {
			fastest = r
		}
		if r.ofReadOnly() < leastRatio.ofReadOnly() {
			leastRatio = r
		}
	}
	largest := results[len(results)-1]
	floor := func(name string, have float64, good bool, bound string) {
		verdict := "ok"
		if !good {
			verdict, missed = "MISSED", true
		}
		fmt.Fprintf(w, "%-6s %s: %.4g, must be %s\n", verdict, name, have, bound)
	}
	flat := fastest.push.Rate / slowest.push.Rate
	floor("push rate, fastest to slowest size", flat, flat <= 1.3, "at most 1.3")
	floor("push rate to reading only", leastRatio.ofReadOnly(), leastRatio.ofReadOnly() >= 0.2, "at least 0.2")
	floor("replayed series/s", largest.replayRate(), largest.replayRate() >= 500_000, "at least 500000")
	floor("resident bytes a series", largest.bytesPerSeries(), largest.bytesPerSeries() <= 700, "at most 700")
	return missed
}
