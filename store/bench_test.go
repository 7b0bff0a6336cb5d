package store

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

const benchSeries = 20 // of each push, as e2e/loadgen pushes them

// benchSizes are the numbers of groups that are stored.
var benchSizes = []int{100, 10_000, 100_000}

func benchKey(tb testing.TB, i int) Key {
	return mustKey(tb, fmt.Sprintf("/job/job%d/instance/host%d", i%10, i))
}

// benchText is a push of 20 series in 4 families.
func benchText(key Key, seq int) string {
	labels := string(appendLabels(nil, key))
	var b strings.Builder
	b.WriteString("# HELP load_duration_seconds Synthetic histogram.\n# TYPE load_duration_seconds histogram\n")
	for i, le := range strings.Fields("0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 +Inf") {
		fmt.Fprintf(&b, "load_duration_seconds_bucket{%s,le=\"%s\"} %d\n", labels, le, 137*(i+1))
	}
	fmt.Fprintf(&b, "load_duration_seconds_sum{%s} 18.769\nload_duration_seconds_count{%s} 1370\n", labels, labels)
	b.WriteString("# HELP load_ratio_0 Synthetic gauge with a few labelled parts.\n# TYPE load_ratio_0 gauge\n")
	for i := range 4 {
		fmt.Fprintf(&b, "load_ratio_0{%s,part=\"p%d\"} %d.%03d\n", labels, i, i*7919%1000, seq*104729%1000)
	}
	fmt.Fprintf(&b, "# HELP load_seq Number of the push.\n# TYPE load_seq gauge\nload_seq{%s} %d\n", labels, seq)
	b.WriteString("# HELP load_work_total_0 Synthetic counter.\n# TYPE load_work_total_0 counter\n")
	for i := range 3 {
		fmt.Fprintf(&b, "load_work_total_0{%s,part=\"p%d\"} %d.%03d\n", labels, i, i*7919%1000, seq*104729%1000)
	}
	return b.String()
}

func benchEvent(tb testing.TB, i, seq int) Event {
	key := benchKey(tb, i)
	return Event{Op: OpPut, Key: key, PushTime: int64(seq) * 1e9, Families: texts(tb, benchText(key, seq))}
}

func benchStore(b *testing.B, groups int) *Store {
	s := New(Settings{})
	for i := range groups {
		s.Apply(uint64(i+1), benchEvent(b, i, i))
	}
	// Groups of another shape make the judge look for series in two groups.
	key := mustKey(b, "/job/job0")
	s.Apply(uint64(groups+1), Event{Op: OpPut, Key: key, Families: texts(b, benchText(key, 1))})
	return s
}

func benchGroups(b *testing.B, run func(b *testing.B, s *Store, groups int)) {
	for _, groups := range benchSizes {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			s := benchStore(b, groups)
			b.ReportAllocs()
			b.ResetTimer()
			run(b, s, groups)
		})
	}
}

func reportSeries(b *testing.B) {
	b.ReportMetric(float64(b.N)*benchSeries/b.Elapsed().Seconds(), "series/s")
}

// BenchmarkJudge is the check of one push in a draft of its own.
func BenchmarkJudge(b *testing.B) {
	benchGroups(b, func(b *testing.B, s *Store, groups int) {
		events := make([]Event, min(groups, 1000))
		for i := range events {
			events[i] = benchEvent(b, i*7919%groups, i)
		}
		b.ResetTimer()
		for i := range b.N {
			e := events[i%len(events)]
			if _, err := s.Draft().Put(Push{Key: e.Key, Families: e.Families, Time: 1}); err != nil {
				b.Fatal(err)
			}
		}
		reportSeries(b)
	})
}

// BenchmarkApply is what following the stream costs: canonical text to a group
// in its place.
func BenchmarkApply(b *testing.B) {
	benchGroups(b, func(b *testing.B, s *Store, groups int) {
		payloads := make([][]byte, min(groups, 1000))
		keys := make([]Key, len(payloads))
		for i := range payloads {
			keys[i] = benchKey(b, i*7919%groups)
			payloads[i] = []byte(benchText(keys[i], i))
		}
		b.ResetTimer()
		seq := s.Sequence()
		for i := range b.N {
			families, err := ParseText(payloads[i%len(payloads)])
			if err != nil {
				b.Fatal(err)
			}
			seq++
			s.Apply(seq, Event{Op: OpPut, Key: keys[i%len(keys)], PushTime: 1, Families: families})
		}
		reportSeries(b)
	})
}

// BenchmarkView is the part of a scrape under the lock.
func BenchmarkView(b *testing.B) {
	benchGroups(b, func(b *testing.B, s *Store, groups int) {
		for b.Loop() {
			s.View()
		}
	})
}

// BenchmarkText is a scrape without a connection.
func BenchmarkText(b *testing.B) {
	benchGroups(b, func(b *testing.B, s *Store, groups int) {
		var n int64
		for b.Loop() {
			n = 0
			for _, f := range s.View().Families() {
				for block := range f.Blocks() {
					k, _ := io.Discard.Write(block)
					n += int64(k)
				}
			}
		}
		b.SetBytes(n)
	})
}
