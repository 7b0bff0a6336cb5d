package decode

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"

	"sluice/store"
)

// scanner is the fast path for text. It goes over the body once and writes the
// sample lines in canonical form as it goes; at the end it puts families and
// metrics in order. Whenever it is not sure that the slow path would come to
// the very same families it gives up, and then it has changed nothing.
//
// It is several times as fast as the slow path because it makes no object a
// sample: label values, help texts and most numbers are copied as they are,
// since their canonical form is the form in which they may be pushed.
type scanner struct {
	body []byte // valid UTF-8 that ends with a line feed
	pos  int    // in body

	group    []label // what each metric gets, sorted by name
	groupBuf []byte  // memory of group

	text     []byte // sample lines, in the order of the body
	metrics  []span // parts of text, in the same order
	families []scanned
	labels   []label // of the line at hand
	part     []byte  // le or quantile of the line at hand, nil if it has none
	limits   Limits  // none of them is 0
	series   int     // sample lines so far
	open     composite
}

// scanned is a family of the body.
type scanned struct {
	name, help  []byte
	typ         dto.MetricType
	typed       bool // there was a TYPE line or a sample
	unsorted    bool // its metrics are not in the order of their label texts
	first, last int  // its metrics are metrics[first:last]
	size        int  // of its sample lines, in bytes
}

// span is one metric in the text: where its lines are, and the label text of
// its first line.
type span struct {
	start, end           int
	labelStart, labelEnd int
}

// scanners saves a push the allocation and growth of half a dozen buffers,
// which would be more than half of its time.
var scanners = sync.Pool{New: func() any { return new(scanner) }}

// maxScratch bounds what a scanner keeps for the next push, in bytes of text
// and, tenfold, in families.
const maxScratch = 1 << 20

// scanText is the fast path. It says no if it is not sure; then the slow path
// decides. The families do not alias body.
func scanText(body []byte, key store.Key, limits Limits) ([]store.Family, bool) {
	if len(body) == 0 {
		return nil, true
	}
	// expfmt reads a carriage return as a character like any other, which is
	// hardly ever meant, so its verdict is asked for.
	if body[len(body)-1] != '\n' || bytes.IndexByte(body, '\r') >= 0 || !utf8.Valid(body) {
		return nil, false
	}
	s := scanners.Get().(*scanner)
	defer s.release()
	s.body, s.pos, s.series, s.limits = body, 0, 0, limits.orNone()
	if !s.setGroup(key) {
		return nil, false
	}
	// In one piece: growing step by step would allocate five times as much.
	lines := int64(bytes.Count(body, []byte{'\n'}))
	s.text = slices.Grow(s.text, int(textSize(int64(len(body)), lines, key, limits)))
	for s.pos < len(s.body) {
		if !s.line() {
			return nil, false
		}
	}
	if !s.closeMetric() || s.series > s.limits.Series || len(s.text) > s.limits.TextBytes || !s.sort() {
		return nil, false
	}
	return s.result(), true
}

// release gives the scanner back, without what refers to the body.
func (s *scanner) release() {
	s.body, s.part = nil, nil
	s.text, s.metrics, s.groupBuf = s.text[:0], s.metrics[:0], s.groupBuf[:0]
	s.families = emptied(s.families)
	s.labels = emptied(s.labels)
	s.group = emptied(s.group)
	s.open.reset()
	if cap(s.text) <= maxScratch && cap(s.families) <= maxScratch/100 {
		scanners.Put(s)
	}
}

// emptied returns the slice without elements, and forgets those it had.
func emptied[T any](s []T) []T {
	clear(s[:cap(s)])
	return s[:0]
}

// setGroup prepares the labels of the group.
func (s *scanner) setGroup(key store.Key) bool {
	hasInstance := false
	for _, l := range key.Labels() {
		if !hasInstance && l.Name > model.InstanceLabel {
			s.group = append(s.group, label{name: instanceName, weak: true})
			hasInstance = true
		}
		if len(s.group) >= maxFastLabels || len(l.Name) > s.limits.LabelBytes || len(l.Value) > s.limits.ValueBytes {
			return false
		}
		if !model.LegacyValidation.IsValidLabelName(l.Name) || strings.HasPrefix(l.Name, model.ReservedLabelPrefix) ||
			l.Name == model.BucketLabel || l.Name == model.QuantileLabel {
			return false
		}
		hasInstance = hasInstance || l.Name == model.InstanceLabel
		// What has been appended before stays valid if the buffer moves.
		start := len(s.groupBuf)
		s.groupBuf = append(s.groupBuf, l.Name...)
		middle := len(s.groupBuf)
		s.groupBuf = store.AppendEscaped(s.groupBuf, l.Value)
		s.group = append(s.group, label{name: s.groupBuf[start:middle], value: s.groupBuf[middle:]})
	}
	if !hasInstance {
		s.group = append(s.group, label{name: instanceName, weak: true})
	}
	return true
}

// sort sorts families and metrics. It says no if a family has come in two
// parts, if a series is there twice, or if a name could belong to a summary or
// histogram of another.
func (s *scanner) sort() bool {
	byName := func(a, b scanned) int { return bytes.Compare(a.name, b.name) }
	if !slices.IsSortedFunc(s.families, byName) {
		slices.SortFunc(s.families, byName)
	}
	for i := range s.families {
		f := &s.families[i]
		if i > 0 && bytes.Equal(s.families[i-1].name, f.name) || s.isPart(f.name) {
			return false
		}
		if f.unsorted && !s.sortMetrics(s.metrics[f.first:f.last]) {
			return false
		}
	}
	return true
}

// isPart tells whether the name is one that expfmt takes for a line of a
// summary or histogram, depending on what has been declared before.
func (s *scanner) isPart(name []byte) bool {
	for _, suffix := range []string{"_sum", "_count", "_bucket"} {
		if len(name) <= len(suffix) || string(name[len(name)-len(suffix):]) != suffix {
			continue
		}
		whole := name[:len(name)-len(suffix)]
		i, found := slices.BinarySearchFunc(s.families, whole, func(f scanned, name []byte) int {
			return bytes.Compare(f.name, name)
		})
		return found && s.families[i].isComposite()
	}
	return false
}

// sortMetrics sorts the metrics of a family. It says no if two are equal.
func (s *scanner) sortMetrics(metrics []span) bool {
	slices.SortFunc(metrics, func(a, b span) int { return bytes.Compare(s.labelText(a), s.labelText(b)) })
	for i := 1; i < len(metrics); i++ {
		if bytes.Equal(s.labelText(metrics[i-1]), s.labelText(metrics[i])) {
			return false
		}
	}
	return true
}

func (s *scanner) labelText(m span) []byte { return s.text[m.labelStart:m.labelEnd] }

// result copies the families out of the scratch memory: one piece for all
// texts, one for all names, one for the slice.
func (s *scanner) result() []store.Family {
	count, nameSize, size := s.resultSize()
	if count == 0 {
		return nil
	}
	var names strings.Builder
	names.Grow(nameSize)
	out := make([]store.Family, 0, count)
	text := make([]byte, 0, size)
	for i := range s.families {
		f := &s.families[i]
		if !f.isKept() {
			continue
		}
		start := len(text)
		text = appendHead(text, f.name, f.help, typeWords[f.typ])
		head := len(text) - start
		text = s.appendSamples(text, f)
		nameStart := names.Len()
		names.Write(f.name)
		out = append(out, store.Family{
			Name: names.String()[nameStart:],
			Type: f.typ,
			Text: text[start:len(text):len(text)],
			// Whatever else is left to the slow path.
			PlainNames: true,
			Head:       head,
		})
	}
	return out
}

// resultSize returns the number of families that are kept, and the bytes of their
// names and texts.
func (s *scanner) resultSize() (count, nameSize, size int) {
	for i := range s.families {
		f := &s.families[i]
		if !f.isKept() {
			continue
		}
		count++
		nameSize += len(f.name)
		size += headSize(f.name, f.help, typeWords[f.typ]) + f.size
	}
	return count, nameSize, size
}

// appendSamples writes the sample lines of a family in their order.
func (s *scanner) appendSamples(dst []byte, f *scanned) []byte {
	if !f.unsorted {
		return append(dst, s.text[s.metrics[f.first].start:s.metrics[f.last-1].end]...)
	}
	for _, m := range s.metrics[f.first:f.last] {
		dst = append(dst, s.text[m.start:m.end]...)
	}
	return dst
}

// isKept tells whether the family is part of the push: a family without
// samples is none.
func (f *scanned) isKept() bool { return f.last > f.first && !store.IsDerivedName(f.name) }

// isComposite tells whether a metric of the family has several lines.
func (f *scanned) isComposite() bool {
	return f.typ == dto.MetricType_SUMMARY || f.typ == dto.MetricType_HISTOGRAM
}
