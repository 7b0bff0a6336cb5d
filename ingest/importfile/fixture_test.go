package importfile

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"sluice/store"
)

// The types that Pushgateway writes, since 0.10, as encoding/gob sees them.
type (
	pushedGroups map[string]pushedGroup
	pushedGroup  struct {
		Labels  map[string]string
		Metrics map[string]pushedFamily
	}
	pushedFamily struct {
		Timestamp            time.Time
		GobbableMetricFamily *gobbable
	}
	gobbable dto.MetricFamily
)

func (g *gobbable) GobEncode() ([]byte, error) { return proto.Marshal((*dto.MetricFamily)(g)) }
func (g *gobbable) GobDecode(b []byte) error   { return proto.Unmarshal(b, (*dto.MetricFamily)(g)) }

func encodeGob(tb testing.TB, value any) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(value); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func (g pushedGroups) file(tb testing.TB) []byte { return encodeGob(tb, g) }

// pushTime is when the groups of tests were pushed.
var pushTime = time.Unix(1_700_000_000, 123_456_789)

// add adds a group with its times, and families in prototext.
func (g pushedGroups) add(tb testing.TB, labels map[string]string, families ...string) pushedGroups {
	tb.Helper()
	seconds := float64(pushTime.UnixNano()) / 1e9
	all := append([]string{
		fmt.Sprintf(`name: "push_time_seconds" type: GAUGE metric { gauge { value: %v } }`, seconds),
		`name: "push_failure_time_seconds" type: GAUGE metric { gauge { value: 0 } }`,
	}, families...)
	group := pushedGroup{Labels: labels, Metrics: map[string]pushedFamily{}}
	for _, text := range all {
		mf := &dto.MetricFamily{}
		if err := prototext.Unmarshal([]byte(text), mf); err != nil {
			tb.Fatal(err)
		}
		group.Metrics[mf.GetName()] = pushedFamily{pushTime, (*gobbable)(mf)}
	}
	g[groupName(labels)] = group
	return g
}

// groupName is what a file calls a group.
func groupName(labels map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, name, labels[name])
	}
	return strings.Join(parts, "\xff")
}

// many returns a number of groups with a number of series each.
func many(tb testing.TB, groups, series int) pushedGroups {
	g := pushedGroups{}
	for i := range groups {
		var families []string
		for j := range series {
			families = append(families, fmt.Sprintf(`name: "family_%d_total" help: "Counts things of some kind." type: COUNTER metric { counter { value: %d } }`, j, i))
		}
		g.add(tb, map[string]string{"job": "many", "instance": fmt.Sprint("host-", i)}, families...)
	}
	return g
}

// write puts a file where a gateway finds it.
func write(tb testing.TB, data []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "pushgateway.data")
	if err := os.WriteFile(path, data, 0o400); err != nil {
		tb.Fatal(err)
	}
	return path
}

func anySize(store.Event) error { return nil }

// loadBytes loads a file with these bytes.
func loadBytes(tb testing.TB, data []byte, settings store.Settings) (*loaded, error) {
	tb.Helper()
	return load(write(tb, data), settings, nil, anySize)
}

// lines returns what a store would show of the events, sorted.
func (l *loaded) lines() []string {
	st := store.New(store.Settings{})
	for i, e := range l.events {
		st.Apply(uint64(i)+1, e)
	}
	return storeLines(st)
}

func storeLines(st *store.Store) []string {
	var all []string
	for _, f := range st.View().Families() {
		for block := range f.Blocks() {
			all = append(all, strings.Split(strings.TrimSuffix(string(block), "\n"), "\n")...)
		}
	}
	slices.Sort(all)
	return slices.DeleteFunc(all, func(line string) bool { return line == "" || line[0] == '#' })
}
