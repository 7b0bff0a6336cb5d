package api

import (
	"slices"
	"strconv"

	dto "github.com/prometheus/client_model/go"
)

// A count is an integer of 64 bits, and is written with all its digits, as in
// Pushgateway. Only the counts of a float histogram are floating-point numbers.

func count(n uint64) string { return strconv.FormatUint(n, 10) }

// histogramCount returns the count of a histogram, which has one kind or the other.
func histogramCount(h *dto.Histogram) string {
	if v := h.GetSampleCountFloat(); v > 0 {
		return number(v)
	}
	return count(h.GetSampleCount())
}

// cumulativeCount returns the count of a bucket, which has one kind or the other.
func cumulativeCount(b *dto.Bucket) string {
	if v := b.GetCumulativeCountFloat(); v != 0 {
		return number(v)
	}
	return count(b.GetCumulativeCount())
}

// populatedCounts returns the counts of the populated buckets of a native integer
// histogram, from the lowest bucket up.
func populatedCounts(h *dto.Histogram) []string {
	counts := running(h.NegativeDelta)
	slices.Reverse(counts)
	if h.GetZeroCount() > 0 {
		counts = append(counts, count(h.GetZeroCount()))
	}
	return append(counts, running(h.PositiveDelta)...)
}

// running returns the sums of deltas up to each of them, unless it is 0.
func running(deltas []int64) []string {
	var sums []string
	sum := int64(0)
	for _, delta := range deltas {
		if sum += delta; sum != 0 {
			sums = append(sums, strconv.FormatInt(sum, 10))
		}
	}
	return sums
}
