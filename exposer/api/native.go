package api

import (
	"errors"
	"iter"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/model/histogram"
)

// nativeBuckets returns the populated buckets of a native histogram from the
// lowest up, each as [boundaries, lower, upper, count] where boundaries is 0
// for an interval open on the left, 1 open on the right, 2 open, 3 closed (the
// format of the Prometheus HTTP API). It is empty for a classic histogram, and
// for one whose spans do not fit its buckets: pushes are not checked for that.
func nativeBuckets(h *dto.Histogram) [][4]any {
	native := nativeHistogram(h)
	if native == nil {
		return nil
	}
	var buckets [][4]any
	for b, count := range native.populated() {
		boundaries := 2
		switch {
		case b.LowerInclusive && b.UpperInclusive:
			boundaries = 3
		case b.LowerInclusive:
			boundaries = 1
		case b.UpperInclusive:
			boundaries = 0
		}
		buckets = append(buckets, [4]any{boundaries, number(b.Lower), number(b.Upper), count})
	}
	return buckets
}

// native is a native histogram, and the counts of its populated buckets if these are
// integers.
type native struct {
	*histogram.FloatHistogram
	integers *dto.Histogram // nil for a float histogram
}

// populated returns the populated buckets from the lowest up, with their counts.
func (n *native) populated() iter.Seq2[histogram.Bucket[float64], string] {
	return func(yield func(histogram.Bucket[float64], string) bool) {
		var exact []string
		if n.integers != nil {
			exact = populatedCounts(n.integers)
		}
		for it := n.AllBucketIterator(); it.Next(); {
			b := it.At()
			if b.Count == 0 {
				continue
			}
			count := number(b.Count)
			if len(exact) > 0 {
				count, exact = exact[0], exact[1:]
			}
			if !yield(b, count) {
				return
			}
		}
	}
}

// zeroCount returns the count of the zero bucket.
func (n *native) zeroCount() string {
	if n.integers != nil {
		return count(n.integers.GetZeroCount())
	}
	return number(n.ZeroCount)
}

// nativeHistogram converts the message of an integer or float histogram. It
// returns nil for a classic one, and for one whose spans do not fit its buckets.
func nativeHistogram(h *dto.Histogram) *native {
	if h.Schema == nil {
		return nil
	}
	if h.GetSampleCountFloat() > 0 || h.GetZeroCountFloat() > 0 || len(h.PositiveCount)+len(h.NegativeCount) > 0 {
		float := &histogram.FloatHistogram{
			Schema:          h.GetSchema(),
			ZeroThreshold:   h.GetZeroThreshold(),
			ZeroCount:       h.GetZeroCountFloat(),
			Count:           h.GetSampleCountFloat(),
			Sum:             h.GetSampleSum(),
			PositiveSpans:   nativeSpans(h.PositiveSpan),
			NegativeSpans:   nativeSpans(h.NegativeSpan),
			PositiveBuckets: h.PositiveCount,
			NegativeBuckets: h.NegativeCount,
		}
		if !readable(float.Validate()) {
			return nil
		}
		return &native{FloatHistogram: float}
	}
	integer := &histogram.Histogram{
		Schema:          h.GetSchema(),
		ZeroThreshold:   h.GetZeroThreshold(),
		ZeroCount:       h.GetZeroCount(),
		Count:           h.GetSampleCount(),
		Sum:             h.GetSampleSum(),
		PositiveSpans:   nativeSpans(h.PositiveSpan),
		NegativeSpans:   nativeSpans(h.NegativeSpan),
		PositiveBuckets: h.PositiveDelta,
		NegativeBuckets: h.NegativeDelta,
	}
	if !readable(integer.Validate()) {
		return nil
	}
	return &native{integer.ToFloat(nil), h}
}

// readable tells whether a histogram can be shown in spite of what is wrong
// with it.
func readable(err error) bool {
	return err == nil ||
		errors.Is(err, histogram.ErrHistogramCountMismatch) ||
		errors.Is(err, histogram.ErrHistogramCountNotBigEnough) ||
		errors.Is(err, histogram.ErrHistogramNegativeBucketCount)
}

func nativeSpans(spans []*dto.BucketSpan) []histogram.Span {
	converted := make([]histogram.Span, len(spans))
	for i, s := range spans {
		converted[i] = histogram.Span{Offset: s.GetOffset(), Length: s.GetLength()}
	}
	return converted
}
