package page

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The sizes of drawings in units of their own: style sheets stretch them.
const (
	histogramWidth  = 600.0
	histogramHeight = 100.0
	plotWidth       = 300.0
	plotHeight      = 60.0
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
	Schema        int
}

type histogramBar struct {
	X, Y, Width, Height float64
	Range               string // of the values in the bucket
	Count               string
}

// histogramOf draws a classic histogram, whose buckets are cumulative, or a
// native one. It is nil if the metric is none.
func histogramOf(m metric) *histogramPlot {
	h := &histogramPlot{Sum: m.Sum, Count: m.Count, Mean: mean(m.Sum, m.Count)}
	var ranges []string
	var bounds []string // upper ones
	var counts []float64
	switch {
	case m.Native != nil: // the zero bucket is one of its buckets
		h.Native, h.Schema = true, m.Native.Schema
		for i, b := range m.Native.Buckets {
			if i == 0 {
				h.Lowest = short(b.Lower)
			} else if gap := m.Native.Buckets[i-1].Upper; gap < b.Lower {
				// Empty buckets are left out, which must be seen.
				ranges = append(ranges, "("+short(gap)+", "+short(b.Lower)+"]")
				bounds, counts = append(bounds, short(b.Lower)), append(counts, 0)
			}
			ranges = append(ranges, "("+short(b.Lower)+", "+short(b.Upper)+"]")
			bounds = append(bounds, short(b.Upper))
			counts = append(counts, float64(b.Count))
		}
	case len(m.Buckets) > 0:
		before, lower := 0.0, "-Inf"
		for _, b := range m.Buckets {
			cumulative, err := strconv.ParseFloat(b.Count, 64)
			if err != nil {
				cumulative = before
			}
			ranges = append(ranges, "("+lower+", "+b.LE+"]")
			bounds = append(bounds, b.LE)
			counts = append(counts, cumulative-before)
			before, lower = cumulative, b.LE
		}
		h.Lowest = "≤ " + m.Buckets[0].LE
	default:
		return nil
	}
	if len(counts) == 0 {
		return h
	}
	h.Above, h.Middle = bounds[len(bounds)-1], bounds[(len(bounds)-1)/2]
	most := 0.0
	for _, n := range counts {
		if n > most && !math.IsInf(n, 0) {
			most = n
		}
	}
	step := histogramWidth / float64(len(counts))
	for i, n := range counts {
		height := 0.0
		if n > 0 && most > 0 {
			height = max(1, min(1, n/most)*(histogramHeight-2)) // what is not empty is seen
		}
		h.Bars = append(h.Bars, histogramBar{
			X: round(float64(i)*step + step*0.06), Width: round(step * 0.88),
			Y: round(histogramHeight - height), Height: round(height),
			Range: ranges[i], Count: short(n),
		})
	}
	return h
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
func short[F ~float64](v F) string { return strconv.FormatFloat(float64(v), 'g', 4, 64) }

func round(v float64) float64 { return math.Round(v*100) / 100 }

// linePlot is how a value went from push to push.
type linePlot struct {
	Path        string // of SVG, of the line
	Dots        string // of SVG, of lines without length, one a push
	Low, High   string
	Last        string
	From, Until time.Time
	Changed     bool
}

// plotOf draws values over time. It is nil if none of them can be drawn.
func plotOf(s valueSeries) *linePlot {
	type point struct{ x, y float64 }
	var points []point
	var p linePlot
	low, high := math.Inf(1), math.Inf(-1)
	for _, at := range s.Points {
		t, err := time.Parse(time.RFC3339Nano, at[0])
		if err != nil {
			continue
		}
		if p.From.IsZero() || t.Before(p.From) {
			p.From = t
		}
		if t.After(p.Until) {
			p.Until, p.Last = t, at[1]
		}
		y, err := strconv.ParseFloat(at[1], 64)
		if err != nil || math.IsNaN(y) || math.IsInf(y, 0) {
			y = math.NaN() // a gap
		} else {
			low, high = min(low, y), max(high, y)
		}
		points = append(points, point{float64(t.UnixNano()), y})
	}
	if len(points) == 0 || math.IsInf(low, 1) {
		return nil
	}
	p.Low, p.High, p.Changed = short(low), short(high), high > low
	start, length := float64(p.From.UnixNano()), float64(p.Until.Sub(p.From))
	var line, dots strings.Builder
	pen := "M"
	for _, at := range points {
		if math.IsNaN(at.y) {
			pen = "M"
			continue
		}
		x, y := plotWidth/2, plotHeight/2
		if length > 0 {
			x = 4 + (at.x-start)/length*(plotWidth-8)
		}
		if p.Changed {
			y = plotHeight - 4 - (at.y-low)/(high-low)*(plotHeight-8)
		}
		fmt.Fprintf(&line, "%s%.1f %.1f", pen, x, y)
		fmt.Fprintf(&dots, "M%.1f %.1fh0", x, y)
		pen = "L"
	}
	p.Path, p.Dots = line.String(), dots.String()
	return &p
}
