package decode

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"

	"sluice/e2e/testkit"
	"sluice/ingest/decode/seeds"
)

// TestTextCarries says of each odd family whether its text says all.
func TestTextCarries(t *testing.T) {
	carried := strings.Split("no type,line feed as help,quotes in help,empty help,unit,classic,quantile label,"+
		"zero bound,bucket twice,summary,odd names,odd histogram name,sum as name,odd values,odd label values", ",")
	for name, mf := range oddFamilies() {
		got, err := Families(delimited(mf), protobufContentType, testkit.NewKey("j"), Options{})
		if err != nil || len(got) != 1 {
			t.Errorf("%s: %v, %v", name, got, err)
			continue
		}
		if want := slices.Contains(carried, name); (got[0].Proto == nil) != want {
			t.Errorf("%s: text carries all: %v, want %v", name, got[0].Proto == nil, want)
		}
	}
}

// TestTextMatchesExpfmt holds the canonical text of families against what
// expfmt writes, and textCarries against the way to text and back.
func TestTextMatchesExpfmt(t *testing.T) {
	check := func(name string, families map[string]*dto.MetricFamily) {
		t.Helper()
		got, err := canonical(families, testkit.NewKey("j"), Options{})
		if err != nil {
			return
		}
		for _, f := range got {
			mf := families[f.Name] // as it has become: sorted, and with the labels of the group
			if f.Proto != nil && !proto.Equal(mf, decoded(t, f)) {
				t.Errorf("%s: kept as %v, want %v", name, decoded(t, f), mf)
			}
			if len(mf.GetMetric()) == 0 {
				continue
			}
			var want bytes.Buffer
			if _, err := expfmt.MetricFamilyToText(&want, withoutLe(mf)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if string(f.Text) != want.String() {
				t.Errorf("%s:\n got %q\nwant %q", name, f.Text, want.String())
			}
			if head := bytes.Index(f.Text, []byte("\n"+"# TYPE")) + 1; !bytes.HasPrefix(f.Text[head:], []byte("# TYPE")) ||
				f.Head != head+bytes.IndexByte(f.Text[head:], '\n')+1 {
				t.Errorf("%s: head is %d of %q", name, f.Head, f.Text)
			}
			if textCarries(mf, false) && !proto.Equal(mf, parsed(t, f.Text)) {
				t.Errorf("%s: %v comes back as %v", name, mf, parsed(t, f.Text))
			}
		}
	}

	for name, mf := range oddFamilies() {
		check(name, map[string]*dto.MetricFamily{mf.GetName(): mf})
	}
	for _, seed := range slices.Concat(seeds.Text, seeds.MoreText) {
		if families, err := parseText([]byte(seed), model.UTF8Validation, Limits{}); err == nil {
			check(seed, families)
		}
	}
	for _, seed := range seeds.Protobuf {
		if families, err := parseProtobuf([]byte(seed)); err == nil {
			check(seed, families)
		}
	}
}

// withoutLe is the family without the label that the text of a histogram leaves
// out.
func withoutLe(mf *dto.MetricFamily) *dto.MetricFamily {
	out := proto.CloneOf(mf)
	if isHistogram(out.GetType()) {
		for _, m := range out.GetMetric() {
			m.Label = slices.DeleteFunc(m.Label, func(l *dto.LabelPair) bool { return l.GetName() == model.BucketLabel })
		}
	}
	return out
}

// parsed is the one family of a text, as expfmt reads it.
func parsed(t *testing.T, text []byte) *dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil || len(families) != 1 {
		t.Fatalf("%q: %v, %v", text, families, err)
	}
	for _, mf := range families {
		return mf
	}
	return nil
}

func TestIsPlain(t *testing.T) {
	f := func(v float64, want bool) {
		t.Helper()
		if isPlain(v) != want {
			t.Errorf("%v: %v", v, !want)
		}
	}
	f(0, true)
	f(1, true)
	f(-1, true)
	f(math.NaN(), true)
	f(-infinity, true)
	f(math.Copysign(0, -1), false)
}
