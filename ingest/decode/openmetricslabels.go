package decode

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/types/known/timestamppb"

	"sluice/store"
)

// maxExemplarLabels is how many characters the labels of an exemplar may have
// (OpenMetrics 1.0, section "Exemplars").
const maxExemplarLabels = 128

// scanSeries reads name{label="value",...} or {"name",label="value",...}, of
// which the grammar has been checked: the labels sorted by name, and what
// follows. It is read here and not taken from the parser because that writes
// le and quantile anew also where they are labels like any other, and leaves
// the escapes in exemplars.
func scanSeries(text []byte, scheme model.ValidationScheme) (name string, pairs []*dto.LabelPair, rest []byte, err error) {
	open := bytes.IndexByte(text, '{')
	if open < 0 {
		return string(text), nil, nil, nil
	}
	name, rest = string(text[:open]), text[open+1:]
	for {
		rest = bytes.TrimPrefix(rest, []byte{','})
		if len(rest) == 0 {
			return "", nil, nil, errors.New("no closing brace")
		}
		if rest[0] == '}' {
			break
		}
		var label, value string
		if label, rest, err = scanWord(rest); err != nil {
			return "", nil, nil, err
		}
		if len(rest) == 0 || rest[0] != '=' {
			name = label // quoted and alone: it is the metric's
			continue
		}
		if value, rest, err = scanWord(rest[1:]); err != nil {
			return "", nil, nil, err
		}
		if !scheme.IsValidLabelName(label) || label == model.MetricNameLabel {
			return "", nil, nil, fmt.Errorf("invalid label name %q", label)
		}
		pairs = append(pairs, &dto.LabelPair{Name: &label, Value: &value})
	}
	slices.SortStableFunc(pairs, func(a, b *dto.LabelPair) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return name, pairs, rest[1:], nil
}

// scanWord reads a name, or a text in quotes.
func scanWord(text []byte) (word string, rest []byte, err error) {
	if text[0] != '"' {
		end := bytes.IndexAny(text, `=,}`)
		if end < 0 {
			return "", nil, errors.New("no end of a name")
		}
		return string(text[:end]), text[end:], nil
	}
	end := store.QuotedEnd(text)
	if end < 0 {
		return "", nil, errors.New("no closing quote")
	}
	return store.Unescape(text[1 : end-1]), text[end:], nil
}

// scanExemplar reads the exemplar behind a sample, of which the grammar has
// been checked. It returns nil if there is none. The value and a timestamp
// before it have no blanks, so the first " # {" begins it.
func scanExemplar(text []byte, scheme model.ValidationScheme) (*dto.Exemplar, error) {
	start := bytes.Index(text, []byte(" # {"))
	if start < 0 {
		return nil, nil
	}
	_, pairs, rest, err := scanSeries(text[start+len(" # "):], scheme)
	if err != nil {
		return nil, fmt.Errorf("exemplar: %w", err)
	}
	size := 0
	for i, l := range pairs {
		if i > 0 && l.GetName() == pairs[i-1].GetName() {
			return nil, fmt.Errorf("exemplar: label %q is there twice", l.GetName())
		}
		size += utf8.RuneCountInString(l.GetName()) + utf8.RuneCountInString(l.GetValue())
	}
	if size > maxExemplarLabels {
		return nil, fmt.Errorf("exemplar: its labels have %d characters, of which there may be %d", size, maxExemplarLabels)
	}
	fields := strings.Fields(string(rest))
	if len(fields) == 0 {
		return nil, errors.New("exemplar: no value")
	}
	value, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return nil, fmt.Errorf("exemplar: %w", err)
	}
	e := &dto.Exemplar{Label: pairs, Value: &value}
	if len(fields) > 1 {
		seconds, err := strconv.ParseFloat(fields[1], 64)
		if err != nil {
			return nil, fmt.Errorf("exemplar: %w", err)
		}
		if e.Timestamp, err = unixTime(seconds); err != nil {
			return nil, fmt.Errorf("exemplar: %w", err)
		}
	}
	return e, nil
}

// maxUnixTime is the last second that fits nanoseconds in an int64, which
// expfmt computes with: in the year 2262.
const maxUnixTime = math.MaxInt64/1_000_000_000 - 1

// unixTime converts seconds since 1970. It goes over the shortest decimal text
// of the number, which is the one that was written, where multiplying would add
// some hundred nanoseconds.
func unixTime(seconds float64) (*timestamppb.Timestamp, error) {
	if !(math.Abs(seconds) <= maxUnixTime) {
		return nil, fmt.Errorf("no time: %v", seconds)
	}
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(math.Abs(seconds), 'f', -1, 64), ".")
	s, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return nil, err
	}
	nanos, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 32)
	if err != nil {
		return nil, err
	}
	if seconds < 0 {
		s, nanos = -s, -nanos
		if nanos < 0 { // they count forward from the second before
			s, nanos = s-1, nanos+1_000_000_000
		}
	}
	return &timestamppb.Timestamp{Seconds: s, Nanos: int32(nanos)}, nil
}
