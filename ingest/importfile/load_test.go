package importfile

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"sluice/store"
)

const gaugeM = `name: "m" type: GAUGE metric { gauge { value: 1 } }`

func TestGroupsThatCannotBeImported(t *testing.T) {
	job := map[string]string{"job": "a"}
	f := func(name string, groups pushedGroups, want ...string) {
		t.Helper()
		_, err := loadBytes(t, groups.file(t), store.Settings{Reserved: map[string]dto.MetricType{"own": dto.MetricType_COUNTER}})
		if err == nil {
			t.Errorf("%s: accepted", name)
			return
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q is not in %v", name, part, err)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than one line: %v", name, err)
		}
	}
	f("no job", pushedGroups{}.add(t, map[string]string{"instance": "x"}, gaugeM), `{instance="x"}`, "job")
	f("empty job", pushedGroups{}.add(t, map[string]string{"job": ""}, gaugeM), "job")
	f("no labels", pushedGroups{}.add(t, nil, gaugeM), "{}", "job")
	f("invalid label", pushedGroups{}.add(t, map[string]string{"job": "a", "__x": "y"}, gaugeM), `__x`)
	f("newline in a label", pushedGroups{}.add(t, map[string]string{"job": "a", "x\ny\x00": "1\n2"}, gaugeM), `invalid label name`)
	f("label value", pushedGroups{}.add(t, map[string]string{"job": "a\xff\xfe"}, gaugeM), "UTF-8")
	f("timestamp", pushedGroups{}.add(t, job, `name: "old" type: GAUGE metric { gauge { value: 1 } timestamp_ms: 5 }`), `{job="a"}`, `"old"`, "timestamps")
	f("no value", pushedGroups{}.add(t, job, `name: "m" type: COUNTER metric { gauge { value: 1 } }`), `"m"`, "COUNTER")
	f("empty name", pushedGroups{}.add(t, job, `type: GAUGE metric { gauge { value: 1 } }`), `invalid metric name ""`)
	f("own family", pushedGroups{}.add(t, job, `name: "own" type: GAUGE metric { gauge { value: 1 } }`), `{job="a"}`, "own", "gateway itself")
	f("suffix", pushedGroups{}.add(t, job, `name: "s" type: SUMMARY metric { summary { } }`, `name: "s_count" type: GAUGE metric { gauge { } }`), "s_count")
	f("twice", pushedGroups{}.add(t, job, `name: "m" type: GAUGE metric { gauge { value: 1 } } metric { gauge { value: 2 } }`), `"m"`, "collected before")
	f("two types", pushedGroups{}.add(t, job, gaugeM).add(t, map[string]string{"job": "b"}, `name: "m" type: COUNTER metric { counter { } }`),
		`{job="b"}`, "m is a counter", "group /job/a", "--push.disable-consistency-check")
	f("one series in two groups", pushedGroups{}.add(t, map[string]string{"job": "a", "x": "1"}, gaugeM).
		add(t, job, `name: "m" type: GAUGE metric { label { name: "x" value: "1" } gauge { } }`), `{job="a",x="1"}`, "series m{", "/job/a")

	several := pushedGroups{}
	for i := range 5 {
		several.add(t, map[string]string{"job": fmt.Sprint("j", i)}, `name: "own" type: GAUGE metric { gauge { value: 1 } }`)
	}
	f("several", several, `{job="j0"}`, `{job="j2"}`, "and 2 more groups")

	other := pushedGroups{}.add(t, job, gaugeM)
	other["another"] = other[groupName(job)]
	delete(other, groupName(job))
	f("another key", other, `{job="a"}`, `its key in the file is "another"`)
	renamed := pushedGroups{}.add(t, job, gaugeM)
	renamed[groupName(job)].Metrics["n"] = renamed[groupName(job)].Metrics["m"]
	f("another name", renamed, `metric "n"`, `"m"`)
	corrupt := pushedGroups{}.add(t, job, gaugeM)
	corrupt[groupName(job)].Metrics["n"] = pushedFamily{Timestamp: pushTime}
	f("no content", corrupt, `{job="a"}`, `metric "n" has no content`)
}

func TestAGroupThatIsTooLargeIsNamed(t *testing.T) {
	path := write(t, pushedGroups{}.add(t, map[string]string{"job": "big"}, gaugeM).file(t))
	_, err := load(path, store.Settings{}, nil, func(store.Event) error { return fmt.Errorf("too many bytes") })
	if err == nil || !strings.Contains(err.Error(), `{job="big"}: too many bytes`) {
		t.Errorf("got %v", err)
	}
}

// Without the check all is taken that can be shown at all.
func TestInconsistentGroupsAreTakenWithoutTheCheck(t *testing.T) {
	groups := pushedGroups{}.add(t, map[string]string{"job": "a"}, gaugeM, `name: "d" type: GAUGE metric { gauge { value: 1 } } metric { gauge { value: 2 } }`).
		add(t, map[string]string{"job": "b"}, `name: "m" type: COUNTER metric { counter { value: 2 } }`)
	l, err := loadBytes(t, groups.file(t), store.Settings{Unchecked: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`m{instance="",job="a"} 1`, `m{instance="",job="b"} 2`, `d{instance="",job="a"} 1`, `d{instance="",job="a"} 2`} {
		if !slices.Contains(l.lines(), line) {
			t.Errorf("no line %s in\n%s", line, strings.Join(l.lines(), "\n"))
		}
	}
}

// Pushgateway makes a group for a refused push even where its times are the
// series of another group, so that its scrapes fail. That group has nothing.
func TestAGroupOfFailuresThatCannotBeIsLeftOut(t *testing.T) {
	groups := pushedGroups{}.add(t, map[string]string{"job": "a"}, gaugeM)
	groups.add(t, map[string]string{"job": "a", "instance": ""})
	failed := groups[groupName(map[string]string{"job": "a", "instance": ""})]
	failed.Metrics["push_time_seconds"].GobbableMetricFamily.Metric[0].Gauge.Value = new(float64)
	l, err := loadBytes(t, groups.file(t), store.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if len(l.events) != 1 || l.events[0].Key.Path() != "/job/a" || l.series != 1 {
		t.Errorf("got %+v and %d series", l.events, l.series)
	}
}

func TestHelpTextsThatDifferAndLabelsThatLack(t *testing.T) {
	groups := pushedGroups{}.add(t, map[string]string{"job": "a"}, `name: "m" help: "One." type: GAUGE metric { label { name: "z" value: "1" } label { name: "b" value: "2" } gauge { value: nan } }`).
		add(t, map[string]string{"job": "b"}, `name: "m" help: "Two." type: GAUGE metric { gauge { value: -inf } }`).
		add(t, map[string]string{"job": "c"}, `name: "m" help: "" type: GAUGE metric { gauge { value: 3 } }`)
	l, err := loadBytes(t, groups.file(t), store.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`m{b="2",instance="",job="a",z="1"} NaN`, `m{instance="",job="b"} -Inf`, `m{instance="",job="c"} 3`}
	if got := l.lines()[:3]; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestTimes(t *testing.T) {
	f := func(name string, pushed time.Time, shown float64, want int64) {
		t.Helper()
		mf := &dto.MetricFamily{Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: &shown}}}}
		if got := timeOf(pushed, mf); got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
	exact := pushTime.UnixNano()
	f("exact", pushTime, float64(exact)/1e9, exact)
	f("another zone", pushTime.In(time.FixedZone("x", 3600)), float64(exact)/1e9, exact)
	f("never", pushTime, 0, 0)
	f("pushed by somebody", pushTime, 1.5, 1_500_000_000)
	f("no time", pushTime, math.NaN(), 0)
	f("no time", pushTime, math.Inf(1), 0)
	f("no time", pushTime, -3, 0)
	f("no time of the push", time.Time{}, 2, 2_000_000_000)
	if got := timeOf(pushTime, &dto.MetricFamily{}); got != 0 {
		t.Errorf("no metric: %d", got)
	}
}

// Files of Pushgateways that did not add the group's times yet.
func TestWithoutPushTimesTheNewestFamilyCounts(t *testing.T) {
	groups := pushedGroups{}.add(t, map[string]string{"job": "a"}, gaugeM, `name: "n" type: GAUGE metric { gauge { } }`)
	metrics := groups[groupName(map[string]string{"job": "a"})].Metrics
	delete(metrics, "push_time_seconds")
	delete(metrics, "push_failure_time_seconds")
	metrics["n"] = pushedFamily{pushTime.Add(-time.Hour), metrics["n"].GobbableMetricFamily}
	l, err := loadBytes(t, groups.file(t), store.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	e := l.events[0]
	if e.PushTime != pushTime.UnixNano() || e.FailTime != 0 || e.Families[0].PushTime != 0 || e.Families[1].PushTime != pushTime.Add(-time.Hour).UnixNano() {
		t.Errorf("got %+v", e)
	}
}

// A group that is imported lives as long as one that is pushed, from the import
// on.
func TestImportedGroupsGetATimeToLive(t *testing.T) {
	path := write(t, pushedGroups{}.add(t, map[string]string{"job": "a"}, gaugeM).add(t, map[string]string{"job": "b", "x": "1"}, gaugeM).file(t))
	before := time.Now()
	l, err := load(path, store.Settings{}, func(key store.Key) time.Duration {
		if _, has := key.Get("x"); has {
			return time.Hour
		}
		return 0
	}, anySize)
	if err != nil || len(l.events) != 2 {
		t.Fatalf("%d events: %v", len(l.events), err)
	}
	for _, e := range l.events {
		ttl := time.Unix(0, e.Expires).Sub(before)
		if _, has := e.Key.Get("x"); has != (e.Expires != 0) || has && (ttl < time.Hour || ttl > 2*time.Hour) {
			t.Errorf("group %s lives until %d", e.Key, e.Expires)
		}
	}
}
