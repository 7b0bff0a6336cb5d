package event

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"sluice/store"
)

// The media types of a payload.
const (
	typeText  = "text/plain; version=0.0.4; charset=utf-8"
	typeProto = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)

// encodePayload writes the families as text if that says everything, else all
// of them as protobuf; withProto then lists those that text does not carry.
func encodePayload(families []store.Family) (data []byte, contentType, withProto string, err error) {
	size := 0
	plain := true
	for _, f := range families {
		size += len(f.Text)
		plain = plain && f.Proto == nil
	}
	if plain {
		data = make([]byte, 0, size)
		for _, f := range families {
			data = append(data, f.Text...)
		}
		return data, typeText, "", nil
	}
	var names []string
	for _, f := range families {
		message := f.Proto
		if message == nil {
			if message, err = textToProto(f); err != nil {
				return nil, "", "", err
			}
		} else {
			names = append(names, string(appendPercent(nil, f.Name)))
		}
		data = protowire.AppendBytes(data, message)
	}
	return data, typeProto, strings.Join(names, " "), nil
}

// textToProto encodes a family whose text says everything.
func textToProto(f store.Family) ([]byte, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(f.Text))
	if err != nil {
		return nil, fmt.Errorf("family %s: %w", f.Name, err)
	}
	mf := families[f.Name]
	if mf == nil {
		return nil, fmt.Errorf("family %s: its text has other names", f.Name)
	}
	return proto.Marshal(mf)
}

// decodePayload is the inverse of encodePayload. What it returns does not share
// memory with data, which it leaves unchanged.
func decodePayload(data []byte, contentType, withProto string) ([]store.Family, error) {
	switch contentType {
	case typeText:
		// The message's memory holds its headers, too: a copy of just the right
		// size is what a group keeps.
		text := make([]byte, len(data))
		copy(text, data)
		return store.ParseText(text)
	case typeProto:
		return decodeProto(data, withProto)
	}
	return nil, fmt.Errorf("content type %.80q is neither %q nor %q", contentType, typeText, typeProto)
}

// decodeProto reads delimited families and makes their texts.
func decodeProto(data []byte, withProto string) ([]store.Family, error) {
	var raw [][]byte
	var all []*dto.MetricFamily
	for len(data) > 0 {
		message, n := protowire.ConsumeBytes(data)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		data = data[n:]
		mf := &dto.MetricFamily{}
		if err := proto.Unmarshal(message, mf); err != nil {
			return nil, err
		}
		if n := len(all); n > 0 && all[n-1].GetName() >= mf.GetName() {
			return nil, fmt.Errorf("family %q follows %q", mf.GetName(), all[n-1].GetName())
		}
		raw = append(raw, message)
		all = append(all, mf)
	}
	families, err := familiesOf(all)
	if err != nil {
		return nil, err
	}
	for escaped := range strings.FieldsSeq(withProto) {
		i, err := familyIndex(families, escaped)
		if err != nil {
			return nil, err
		}
		families[i].Proto = bytes.Clone(raw[i])
	}
	for _, f := range families {
		if f.Text == nil && f.Proto == nil {
			return nil, fmt.Errorf("family %q is empty", f.Name)
		}
	}
	return families, nil
}

// familiesOf makes the texts of decoded families, checked like any other text.
func familiesOf(all []*dto.MetricFamily) ([]store.Family, error) {
	var text bytes.Buffer
	for _, mf := range all {
		if mf.GetName() == "" {
			return nil, errors.New("family without a name")
		}
		if len(mf.GetMetric()) > 0 {
			if err := writeText(&text, mf); err != nil {
				return nil, err
			}
		}
	}
	parsed, err := store.ParseText(bytes.Clone(text.Bytes()))
	if err != nil {
		return nil, err
	}
	families := make([]store.Family, len(all))
	for i, mf := range all {
		if len(mf.GetMetric()) > 0 {
			if len(parsed) == 0 || parsed[0].Name != mf.GetName() {
				return nil, fmt.Errorf("family %q has a text of another name", mf.GetName())
			}
			families[i] = parsed[0]
			parsed = parsed[1:]
		}
		families[i].Name = mf.GetName()
		families[i].Type = mf.GetType() // of a gauge histogram the text says histogram
	}
	return families, nil
}

// writeText writes a family's canonical text. A histogram's text cannot have a
// label le besides those of its buckets, so it is left out, as it was when the
// family was pushed.
func writeText(w io.Writer, mf *dto.MetricFamily) error {
	if t := mf.GetType(); t == dto.MetricType_HISTOGRAM || t == dto.MetricType_GAUGE_HISTOGRAM {
		for _, m := range mf.GetMetric() {
			m.Label = slices.DeleteFunc(m.Label, func(l *dto.LabelPair) bool { return l.GetName() == model.BucketLabel })
		}
	}
	_, err := expfmt.MetricFamilyToText(w, mf)
	return err
}
