package importfile

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"

	"sluice/ingest/decode"
	"sluice/store"
)

// groupError says what is wrong with one group of a file.
type groupError struct {
	group  string // its labels
	reason string
}

func (e *groupError) Error() string { return "group " + e.group + ": " + e.reason }

// event makes the event of a group. It does not compare the group with others. The
// error is a *groupError.
func event(g fileGroup, opts decode.Options, origin string) (store.Event, error) {
	refuse := func(format string, args ...any) (store.Event, error) {
		return store.Event{}, &groupError{labelText(g.labels), fmt.Sprintf(format, args...)}
	}
	key, err := keyOf(g)
	if err != nil {
		return refuse("%v", err)
	}
	e := store.Event{Op: store.OpPut, Key: key, Origin: origin}
	messages := make(map[string]*dto.MetricFamily, len(g.families))
	newest := int64(0)
	for _, name := range slices.Sorted(maps.Keys(g.families)) {
		f := g.families[name]
		if f.message == nil {
			// Pushgateway logs it as corrupt and leaves it out of its scrapes.
			return refuse("metric %q has no content", name)
		}
		mf := &dto.MetricFamily{}
		if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(f.message, mf); err != nil {
			return refuse("metric %q cannot be read: %v", name, err)
		}
		if mf.GetName() != name {
			return refuse("metric %q has the name %q inside", name, mf.GetName())
		}
		switch name {
		case store.PushTimeName:
			e.PushTime = timeOf(f.time, mf)
		case store.PushFailureName:
			e.FailTime = timeOf(f.time, mf)
		default:
			messages[name] = mf
			newest = max(newest, nanos(f.time))
		}
	}
	if e.Families, err = decode.Messages(messages, key, opts); err != nil {
		return refuse("%v", err)
	}
	switch {
	case e.PushTime == 0 && len(e.Families) > 0:
		e.PushTime = newest
	case e.PushTime == 0:
		e.Op = store.OpFail
	}
	for i := range e.Families {
		if t := nanos(g.families[e.Families[i].Name].time); t != e.PushTime {
			e.Families[i].PushTime = t
		}
	}
	return e, nil
}

// separator separates the parts of a group's key in the file, since Pushgateway
// 0.10.
const separator = "\xff"

// keyOf returns the grouping key, and checks that the group's key in the file is the
// same.
func keyOf(g fileGroup) (store.Key, error) {
	names := slices.Sorted(maps.Keys(g.labels))
	var parts []string
	var labels []store.Label
	for _, name := range names {
		if !decode.IsLabelName(name) {
			return store.Key{}, fmt.Errorf("invalid label name %q", name)
		}
		parts = append(parts, name, g.labels[name])
		labels = append(labels, store.Label{Name: name, Value: g.labels[name]})
	}
	if strings.Join(parts, separator) != g.key {
		return store.Key{}, fmt.Errorf("its key in the file is %q", g.key)
	}
	return store.NewKey(g.labels[store.JobLabel], labels...)
}

// labelText writes labels for an error message.
func labelText(labels map[string]string) string {
	var b strings.Builder
	for i, name := range slices.Sorted(maps.Keys(labels)) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%.80s=%.80q", strings.Trim(fmt.Sprintf("%q", name), `"`), labels[name])
	}
	return "{" + b.String() + "}"
}

// timeOf returns the time in a push time family of a group, in nanoseconds since
// 1970, 0 for never. The file has it as the sample, rounded, and, if it was ever set,
// exactly as the time of the push that set it.
func timeOf(pushed time.Time, mf *dto.MetricFamily) int64 {
	if len(mf.GetMetric()) == 0 {
		return 0
	}
	shown := mf.GetMetric()[0].GetGauge().GetValue()
	if exact := nanos(pushed); float64(exact)/1e9 == shown {
		return exact
	}
	if shown > 0 && shown < math.MaxInt64/1e9 {
		return int64(math.Round(shown * 1e9)) // a client has pushed this family itself
	}
	return 0
}

// nanos returns a time in nanoseconds since 1970, 0 for a time outside of that range.
func nanos(t time.Time) int64 {
	if t.Year() < 1970 || t.Year() >= 2262 {
		return 0
	}
	return t.UnixNano()
}
