package page

import (
	"math"
	"strconv"

	"sluice/exposer/api"
)

// The size of the drawing, which style sheets stretch.
const (
	histogramWidth  = 600.0
	histogramHeight = 100.0
)

// histogramPlot is a histogram as bars of equal width, one a bucket.
type histogramPlot struct {
	Labels        map[string]string
	Bars          []histogramBar
	Lowest, Above string // the bounds at both ends
	Middle        string
	Mean          string // "" if it is not known
	Sum, Count    string
	Native        bool
	Schema        int32
}

type histogramBar struct {
	X, Y, Width, Height float64
	Range               string // of the values in the bucket
	Count               string
}

// interval is a bucket as it is drawn: which values are in it, and how many.
type interval struct {
	lower, upper string
	count        float64
}

// histogramOf draws a classic or native histogram. It is nil if the metric is
// none.
func histogramOf(m api.Metric) *histogramPlot {
	h := &histogramPlot{Sum: m.Sum, Count: m.Count, Mean: mean(m.Sum, m.Count)}
	var buckets []interval
	switch {
	case m.Native != nil:
		h.Native, h.Schema = true, m.Native.Schema
		if buckets = nativeIntervals(m.Native.Buckets); len(buckets) > 0 {
			h.Lowest = buckets[0].lower
		}
	case len(m.Buckets) > 0:
		buckets = classicIntervals(m.Buckets)
		h.Lowest = "≤ " + m.Buckets[0].LE
	default:
		return nil
	}
	if len(buckets) > 0 {
		h.Above, h.Middle = buckets[len(buckets)-1].upper, buckets[(len(buckets)-1)/2].upper
		h.Bars = layOut(buckets)
	}
	return h
}

// classicIntervals turns cumulative counts into those of each bucket.
func classicIntervals(buckets []api.Bucket) []interval {
	intervals := make([]interval, 0, len(buckets))
	before, lower := 0.0, "-Inf"
	for _, b := range buckets {
		cumulative, err := strconv.ParseFloat(b.Count, 64)
		if err != nil {
			cumulative = before
		}
		intervals = append(intervals, interval{lower, b.LE, cumulative - before})
		before, lower = cumulative, b.LE
	}
	return intervals
}

// nativeIntervals adds to the buckets of a native histogram the gaps between them:
// empty buckets are left out there, and must be seen.
func nativeIntervals(buckets []api.NativeBucket) []interval {
	intervals := make([]interval, 0, len(buckets))
	var end float64 // of the bucket before
	for i, b := range buckets {
		lower, upper, count := float(b.Lower), float(b.Upper), float(b.Count)
		if i > 0 && end < lower {
			intervals = append(intervals, interval{short(end), short(lower), 0})
		}
		intervals = append(intervals, interval{short(lower), short(upper), count})
		end = upper
	}
	return intervals
}

// float reads a number of the API, and is NaN if it is none.
func float(text string) float64 {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

// layOut places the bars side by side, as high as their part of the highest one.
func layOut(buckets []interval) []histogramBar {
	most := 0.0
	for _, b := range buckets {
		if b.count > most && !math.IsInf(b.count, 0) {
			most = b.count
		}
	}
	bars := make([]histogramBar, 0, len(buckets))
	step := histogramWidth / float64(len(buckets))
	for i, b := range buckets {
		height := 0.0
		if b.count > 0 && most > 0 {
			height = max(1, min(1, b.count/most)*(histogramHeight-2)) // at least visible
		}
		bars = append(bars, histogramBar{
			X: round(float64(i)*step + step*0.06), Width: round(step * 0.88),
			Y: round(histogramHeight - height), Height: round(height),
			Range: "(" + b.lower + ", " + b.upper + "]", Count: short(b.count),
		})
	}
	return bars
}

func mean(sum, count string) string {
	s, err := strconv.ParseFloat(sum, 64)
	n, errN := strconv.ParseFloat(count, 64)
	if err != nil || errN != nil || n <= 0 || math.IsNaN(s) || math.IsInf(s, 0) {
		return ""
	}
	return short(s / n)
}

// short writes a number with the digits that people read.
func short(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

func round(v float64) float64 { return math.Round(v*100) / 100 }
