package decode

import (
	"bytes"
	"fmt"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/textparse"

	"sluice/store"
)

// openMetricsReader puts the lines of an OpenMetrics body together to families.
type openMetricsReader struct {
	scheme   model.ValidationScheme
	families map[string]*dto.MetricFamily // by the name that a scrape shows
	taken    map[string]string            // names of families and of their samples, and whose they are
	open     *openFamily                  // nil before the first
	line     int                          // at hand, from 1
}

func newOpenMetricsReader(scheme model.ValidationScheme) *openMetricsReader {
	return &openMetricsReader{
		scheme: scheme, families: map[string]*dto.MetricFamily{}, taken: map[string]string{}, line: 1,
	}
}

// openFamily is the family of which lines are being read.
type openFamily struct {
	name string // as OpenMetrics has it: that of a counter is without _total
	typ  model.MetricType
	mf   *dto.MetricFamily
	last openMetric

	hasType, hasHelp, hasUnit bool
	begun                     bool // there was a sample
}

// suffixesOf returns the suffixes that samples of a family of the type have.
func suffixesOf(typ model.MetricType) []string {
	switch typ {
	case model.MetricTypeCounter:
		return []string{"_total", "_created"}
	case model.MetricTypeSummary:
		return []string{"", "_sum", "_count", "_created"}
	case model.MetricTypeHistogram:
		return []string{"_bucket", "_sum", "_count", "_created"}
	case model.MetricTypeGaugeHistogram:
		return []string{"_bucket", "_gsum", "_gcount"}
	case model.MetricTypeInfo:
		return []string{"_info"}
	default:
		return []string{""}
	}
}

// entry takes one line.
func (r *openMetricsReader) entry(entry textparse.Entry, parser textparse.Parser, line []byte) error {
	switch entry {
	case textparse.EntryHelp:
		name, help := parser.Help()
		f, err := r.declared(name)
		if err != nil {
			return err
		}
		if f.hasHelp {
			return fmt.Errorf("second HELP of %q", f.name)
		}
		text := string(help)
		f.hasHelp, f.mf.Help = true, &text
	case textparse.EntryType:
		name, typ := parser.Type()
		f, err := r.declared(name)
		if err != nil {
			return err
		}
		if f.hasType {
			return fmt.Errorf("second TYPE of %q", f.name)
		}
		f.hasType, f.typ = true, typ
		return f.checkUnit()
	case textparse.EntryUnit:
		name, unit := parser.Unit()
		f, err := r.declared(name)
		if err != nil {
			return err
		}
		if f.hasUnit {
			return fmt.Errorf("second UNIT of %q", f.name)
		}
		// The unit itself is not kept: no scrape of Pushgateway shows one.
		f.hasUnit = len(unit) > 0
		return f.checkUnit()
	case textparse.EntrySeries:
		return r.series(parser, line)
	default:
		return fmt.Errorf("unexpected %d", entry)
	}
	return nil
}

func (f *openFamily) checkUnit() error {
	if f.hasUnit && (f.typ == model.MetricTypeInfo || f.typ == model.MetricTypeStateset) {
		return fmt.Errorf("%s %q must not have a unit", f.typ, f.name)
	}
	return nil
}

// declared returns the family that a line of metadata is about.
func (r *openMetricsReader) declared(raw []byte) (*openFamily, error) {
	if bytes.IndexByte(raw, '\n') >= 0 {
		return nil, errLineFeed
	}
	name := store.Unescape(raw)
	if f := r.open; f != nil && f.name == name {
		if f.begun {
			return nil, fmt.Errorf("metadata of %q must stand before its samples", name)
		}
		return f, nil
	}
	return r.begin(name)
}

// begin ends the family at hand and opens another one.
func (r *openMetricsReader) begin(name string) (*openFamily, error) {
	if err := r.closeFamily(); err != nil {
		return nil, err
	}
	if !r.scheme.IsValidMetricName(name) {
		return nil, fmt.Errorf("invalid metric name %q", name)
	}
	if owner, taken := r.taken[name]; taken {
		if f := r.open; f != nil && f.name == name && owner == name {
			return nil, fmt.Errorf("a sample of %s %q has the suffix %s", f.typ, name, strings.Join(suffixesOf(f.typ), " or "))
		}
		if owner == name {
			return nil, fmt.Errorf("family %q was there before: its lines must follow each other", name)
		}
		return nil, fmt.Errorf("%q is the name of a sample of family %q", name, owner)
	}
	r.taken[name] = name
	r.open = &openFamily{name: name, typ: model.MetricTypeUnknown, mf: &dto.MetricFamily{}}
	return r.open, nil
}

// closeFamily ends the family at hand. One without samples is dropped, as in
// text format 0.0.4.
func (r *openMetricsReader) closeFamily() error {
	f := r.open
	if f == nil || !f.begun {
		return nil
	}
	return f.closeMetric()
}

// claim takes the names of the samples of a family, when its first one is there
// and with it its type is known.
func (r *openMetricsReader) claim(f *openFamily) error {
	for _, suffix := range suffixesOf(f.typ) {
		name := f.name + suffix
		if owner, taken := r.taken[name]; taken && owner != f.name {
			return fmt.Errorf("sample %q of %s %q has a name of family %q", name, f.typ, f.name, owner)
		}
		r.taken[name] = f.name
	}
	f.begun = true
	name, typ := f.name, dto.MetricType_GAUGE // info and stateset, too: client libraries expose them so
	switch f.typ {
	case model.MetricTypeCounter:
		name, typ = f.name+"_total", dto.MetricType_COUNTER
	case model.MetricTypeInfo:
		name = f.name + "_info"
	case model.MetricTypeUnknown:
		typ = dto.MetricType_UNTYPED
	case model.MetricTypeSummary:
		typ = dto.MetricType_SUMMARY
	case model.MetricTypeHistogram:
		typ = dto.MetricType_HISTOGRAM
	case model.MetricTypeGaugeHistogram:
		typ = dto.MetricType_GAUGE_HISTOGRAM
	}
	f.mf.Name, f.mf.Type = &name, &typ
	r.families[name] = f.mf
	return nil
}

// series takes a line with a value.
func (r *openMetricsReader) series(parser textparse.Parser, line []byte) error {
	raw, timestamp, value := parser.Series()
	if !bytes.HasPrefix(line, raw) {
		return errLineFeed
	}
	s := openSample{value: value, timestamp: timestamp, line: r.line}
	name, pairs, _, err := scanSeries(raw, r.scheme)
	if err != nil {
		return err
	}
	s.labels = pairs
	if s.exemplar, err = scanExemplar(line[len(raw):], r.scheme); err != nil {
		return err
	}
	f := r.open
	var fits bool
	if f != nil {
		s.suffix, fits = f.suffix(name)
	}
	if !fits {
		if f, err = r.begin(name); err != nil {
			return err
		}
		s.suffix = ""
	}
	if !f.begun {
		if err := r.claim(f); err != nil {
			return err
		}
	}
	return f.add(s)
}

// suffix tells whether a sample belongs to the family, and by which suffix.
func (f *openFamily) suffix(name string) (string, bool) {
	rest, ok := strings.CutPrefix(name, f.name)
	if !ok {
		return "", false
	}
	for _, suffix := range suffixesOf(f.typ) {
		if rest == suffix {
			return suffix, true
		}
	}
	return "", false
}
