package page

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"sluice/exposer/api"
)

// The size of the drawing, which style sheets stretch, and the space around the
// line.
const (
	plotWidth  = 300.0
	plotHeight = 60.0
	plotMargin = 4.0
)

// linePlot is how a value went from push to push.
type linePlot struct {
	Path        string // of SVG, of the line
	Dots        string // of SVG, of lines without length, one a push
	Low, High   string
	Last        string
	From, Until time.Time
	Changed     bool
}

// point is the value at a time; NaN is a gap in the line.
type point struct {
	at    time.Time
	value float64
}

// plotOf draws values over time. It is nil if none of them can be drawn.
func plotOf(s api.Series) *linePlot {
	var p linePlot
	var points []point
	low, high := math.Inf(1), math.Inf(-1)
	for _, pair := range s.Points {
		at, err := time.Parse(time.RFC3339Nano, pair[0])
		if err != nil {
			continue
		}
		if p.From.IsZero() || at.Before(p.From) {
			p.From = at
		}
		if at.After(p.Until) {
			p.Until, p.Last = at, pair[1]
		}
		value := float(pair[1])
		if math.IsInf(value, 0) {
			value = math.NaN()
		}
		if !math.IsNaN(value) {
			low, high = min(low, value), max(high, value)
		}
		points = append(points, point{at, value})
	}
	if low > high {
		return nil // no value can be drawn
	}
	p.Low, p.High, p.Changed = exact(low), exact(high), high > low
	p.draw(points, low, high)
	return &p
}

// exact shortens small values only: large ones may be times or sizes.
func exact(v float64) string {
	if math.Abs(v) < 1e6 {
		return short(v)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// draw makes the paths of points whose values lie between two others.
func (p *linePlot) draw(points []point, low, high float64) {
	length := float64(p.Until.Sub(p.From))
	var line, dots strings.Builder
	pen := "M"
	for _, at := range points {
		if math.IsNaN(at.value) {
			pen = "M"
			continue
		}
		x, y := plotWidth/2, plotHeight/2
		if length > 0 {
			x = plotMargin + float64(at.at.Sub(p.From))/length*(plotWidth-2*plotMargin)
		}
		if p.Changed {
			y = plotHeight - plotMargin - (at.value-low)/(high-low)*(plotHeight-2*plotMargin)
		}
		fmt.Fprintf(&line, "%s%.1f %.1f", pen, x, y)
		fmt.Fprintf(&dots, "M%.1f %.1fh0", x, y)
		pen = "L"
	}
	p.Path, p.Dots = line.String(), dots.String()
}
