package exposer

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"sluice/store"
)

// openMetrics writes a scrape as OpenMetrics 1.0. That does not allow everything that
// can be pushed. A counter x_total is the family x there, and another family may have
// that name. A histogram h must not stand beside a family h_created. No counter is
// below zero. A family that would break the format gives up its type: it is written
// as families of type unknown, one for each name of a series, so that every series
// keeps its name and value. (go_memstats_alloc_bytes_total of client_golang is such a
// counter.)
type openMetrics struct {
	w      io.Writer
	scheme model.EscapingScheme
	// claims counts for each name the families that need it, for themselves or
	// for their samples. Those that have given up their type are not in it.
	claims map[string]int
	// written are the names of the families that are written.
	written map[string]bool
}

// writeOpenMetrics sends all families, and the line that ends them.
func writeOpenMetrics(w io.Writer, families []exposed, scheme model.EscapingScheme) error {
	o := &openMetrics{w: w, scheme: scheme, claims: make(map[string]int, len(families)), written: make(map[string]bool, len(families))}
	untyped := o.plan(families)
	for i := range families {
		if err := o.write(&families[i], untyped[i]); err != nil {
			return fmt.Errorf("family %q: %w", families[i].name, err)
		}
	}
	_, err := expfmt.FinalizeOpenMetrics(w)
	return err
}

// plan tells which families must give up their type because of their names. Counters
// give it up first, so that the families they clash with can keep theirs.
func (o *openMetrics) plan(families []exposed) []bool {
	untyped := make([]bool, len(families))
	for i := range families {
		o.claim(o.needs(&families[i]), +1)
	}
	for _, counters := range []bool{true, false} {
		for i := range families {
			e := &families[i]
			needs := o.needs(e)
			if len(needs) == 1 || (e.typ() == dto.MetricType_COUNTER) != counters {
				continue
			}
			if slices.ContainsFunc(needs, func(name string) bool { return o.claims[name] > 1 }) {
				untyped[i] = true
				o.claim(needs, -1)
			}
		}
	}
	return untyped
}

func (o *openMetrics) claim(names []string, n int) {
	for _, name := range names {
		o.claims[name] += n
	}
}

// needs returns the names that a family and its samples have, each once.
func (o *openMetrics) needs(e *exposed) []string {
	name := store.EscapeMetricName(e.name, o.scheme)
	switch e.typ() {
	case dto.MetricType_COUNTER:
		if base, ok := strings.CutSuffix(name, "_total"); ok && base != "" {
			return []string{base, name, base + "_created"}
		}
	case dto.MetricType_SUMMARY:
		return []string{name, name + "_sum", name + "_count", name + "_created"}
	case dto.MetricType_HISTOGRAM:
		return []string{name, name + "_bucket", name + "_sum", name + "_count", name + "_created"}
	case dto.MetricType_GAUGE_HISTOGRAM:
		return []string{name, name + "_bucket", name + "_gsum", name + "_gcount"}
	}
	return []string{name}
}

// typ is the type of the family.
func (e *exposed) typ() dto.MetricType {
	if e.self != nil {
		return e.self.GetType()
	}
	return e.stored.Type()
}

// write sends one family.
func (o *openMetrics) write(e *exposed, untyped bool) error {
	message, err := e.escaped(o.scheme)
	if err != nil || len(message.GetMetric()) == 0 {
		return err // a family may have been pushed without any metric
	}
	trim(message)
	parts, needs := []*dto.MetricFamily{message}, o.needs(e)
	if untyped {
		needs = nil
	}
	if untyped || !isAllowed(message) {
		parts = unknownParts(message)
	}
	for _, part := range parts {
		// A name can be taken in a rare case, and then the part has no place:
		// Pushgateway lets a family be called like the series of a gauge
		// histogram.
		name := part.GetName()
		if o.written[name] || o.claims[name] > 0 && !slices.Contains(needs, name) {
			continue
		}
		o.written[name] = true
		if err := o.encode(part); err != nil {
			return err
		}
	}
	return nil
}

// encode sends one family as it is.
func (o *openMetrics) encode(message *dto.MetricFamily) error {
	if message.GetType() != dto.MetricType_GAUGE_HISTOGRAM {
		_, err := expfmt.MetricFamilyToOpenMetrics(o.w, message, expfmt.WithCreatedLines())
		return err
	}
	return encodeGaugeHistogram(o.w, message)
}

// encodeGaugeHistogram puts right what expfmt v0.73.1 writes: it gives the
// samples the suffixes of a histogram, where OpenMetrics has _gsum and _gcount.
func encodeGaugeHistogram(w io.Writer, message *dto.MetricFamily) error {
	var text bytes.Buffer
	if _, err := expfmt.MetricFamilyToOpenMetrics(&text, message); err != nil {
		return err
	}
	plain := model.LegacyValidation.IsValidMetricName(message.GetName())
	start := []byte(message.GetName())
	if !plain {
		start = store.AppendEscaped([]byte(`{"`), message.GetName())
	}
	out := bufio.NewWriter(w)
	for line := range bytes.Lines(text.Bytes()) {
		if rest, ok := bytes.CutPrefix(line, start); ok {
			for _, suffix := range []string{"_sum", "_count"} {
				if bytes.HasPrefix(rest, []byte(suffix)) {
					out.Write(start)
					out.WriteString("_g")
					line = rest[1:]
				}
			}
		}
		out.Write(line)
	}
	return out.Flush()
}
