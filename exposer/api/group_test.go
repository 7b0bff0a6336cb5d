package api

import (
	"bytes"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/route"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"sluice/bus"
	"sluice/store"
)

// detailed is a store with a group of each type of family.
func detailed(tb testing.TB) *store.Store {
	tb.Helper()
	const text = "# HELP t_a <script>alert(1)</script>\n# TYPE t_a counter\nt_a{instance=\"\",job=\"a\",n=\"1\"} 1\nt_a{instance=\"\",job=\"a\",n=\"2\"} NaN\n" +
		"# TYPE t_h histogram\nt_h_bucket{instance=\"\",job=\"a\",le=\"0.5\"} 1\nt_h_bucket{instance=\"\",job=\"a\",le=\"+Inf\"} 2\nt_h_sum{instance=\"\",job=\"a\"} 3\nt_h_count{instance=\"\",job=\"a\"} 2\n"
	families, err := store.ParseText([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	message := &dto.MetricFamily{Name: proto.String("t_n"), Type: dto.MetricType_GAUGE_HISTOGRAM.Enum(), Unit: proto.String("s"), Metric: []*dto.Metric{{
		Label: []*dto.LabelPair{{Name: proto.String("instance"), Value: proto.String("")}, {Name: proto.String("job"), Value: proto.String("a")}},
		Histogram: &dto.Histogram{
			SampleCount: proto.Uint64(3), SampleSum: proto.Float64(1), Schema: proto.Int32(0), ZeroThreshold: proto.Float64(0.001), ZeroCount: proto.Uint64(2),
			PositiveSpan: []*dto.BucketSpan{{Offset: proto.Int32(1), Length: proto.Uint32(1)}}, PositiveDelta: []int64{1},
			CreatedTimestamp: &timestamppb.Timestamp{Seconds: 7},
		},
	}}}
	raw, err := proto.Marshal(message)
	if err != nil {
		tb.Fatal(err)
	}
	var native bytes.Buffer
	if _, err := expfmt.MetricFamilyToText(&native, message); err != nil {
		tb.Fatal(err)
	}
	histograms, err := store.ParseText(native.Bytes())
	if err != nil {
		tb.Fatal(err)
	}
	histograms[0].Proto, histograms[0].Type = raw, dto.MetricType_GAUGE_HISTOGRAM
	summaries, err := store.ParseText([]byte("# TYPE t_s summary\nt_s{instance=\"\",job=\"a\",quantile=\"0.5\"} +Inf\nt_s_sum{instance=\"\",job=\"a\"} 3\nt_s_count{instance=\"\",job=\"a\"} 2\n"))
	if err != nil {
		tb.Fatal(err)
	}
	s := store.New(store.Settings{})
	s.Apply(1, store.Event{Op: store.OpPut, Key: keyOf(tb, "/job/a"), PushTime: 1e9, Expires: 61e9, Origin: "http 192.0.2.1",
		Families: append(append(families, histograms...), summaries...)})
	return s
}

func TestGroupInDetail(t *testing.T) {
	api := apiOf(detailed(t), true, Address{})
	group := func(truncated, families string) string {
		return `{"status":"success","data":{"ready":true,"group":"/job/a","labels":{"job":"a"},"state":"up","up":true,"push_time":"1970-01-01T00:00:01Z","expires":"1970-01-01T00:01:01Z","ttl_seconds":60,
			"series":` + "12" + `,"origin":"http 192.0.2.1","pushers":[{"origin":"http 192.0.2.1","time":"1970-01-01T00:00:01Z","pushes":1}],"sequence":1,"truncated":` + truncated + `,"families_total":4,"families":[` + families + `]}}`
	}
	family := func(name, typ, more, truncated, metrics string) string {
		return `{"name":"` + name + `","type":"` + typ + `",` + more + `"push_time":"1970-01-01T00:00:01Z","truncated":` + truncated + `,"metrics":[` + metrics + `]}`
	}
	const help = `"help":"<script>alert(1)</script>",`
	a1 := `{"labels":{"instance":"","job":"a","n":"1"},"value":"1"}`
	a2 := `{"labels":{"instance":"","job":"a","n":"2"},"value":"NaN"}`
	h := `{"labels":{"instance":"","job":"a"},"sum":"3","count":"2","buckets":[{"le":"0.5","count":"1"},{"le":"+Inf","count":"2"}]}`
	n := `{"labels":{"instance":"","job":"a"},"sum":"1","count":"3","created":"1970-01-01T00:00:07Z","native":{"schema":0,"zero_threshold":"0.001","zero_count":"2",
		"buckets":[{"lower":"-0.001","upper":"0.001","count":"2"},{"lower":"1","upper":"2","count":"1"}]}}`
	s := `{"labels":{"instance":"","job":"a"},"sum":"3","count":"2","quantiles":[{"quantile":"0.5","value":"+Inf"}]}`
	wantJSON(t, getJSON(t, api, "/group?group=/job/a"), group("false",
		family("t_a", "counter", help, "false", a1+","+a2)+","+family("t_h", "histogram", `"help":"",`, "false", h)+","+
			family("t_n", "gaugehistogram", `"help":"","unit":"s",`, "false", n)+","+family("t_s", "summary", `"help":"",`, "false", s)))
	wantJSON(t, getJSON(t, api, "/group?group=/job/a&limit=1"), group("true",
		family("t_a", "counter", help, "true", a1)+","+family("t_h", "histogram", `"help":"",`, "true", "")+","+
			family("t_n", "gaugehistogram", `"help":"","unit":"s",`, "true", "")+","+family("t_s", "summary", `"help":"",`, "true", "")))
	for query, want := range map[string]int{
		"": 400, "?group=": 400, "?group=x": 400, "?group=/job/a&limit=0": 400, "?group=/job/a&limit=10001": 400,
		"?group=/job/none": 404, "?group=/job/" + strings.Repeat("x", 10<<10) + "/y": 400,
	} {
		w := httptest.NewRecorder()
		api.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/group"+query, nil))
		if w.Code != want || !strings.Contains(w.Body.String(), `"status":"error"`) || w.Body.Len() > 1000 {
			t.Errorf("%.60s: got %d %.200s, want %d", query, w.Code, w.Body, want)
		}
	}
	w := httptest.NewRecorder()
	apiOf(detailed(t), false, Address{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/group?group=/job/none", nil))
	if w.Code != 503 {
		t.Errorf("an unknown group during the replay: got %d, want 503", w.Code)
	}
}

// A histogram pushed by protobuf has no bucket +Inf of its own, and one by text has.
func TestLastBucket(t *testing.T) {
	bucket := func(bound float64, count uint64) *dto.Bucket {
		return &dto.Bucket{UpperBound: &bound, CumulativeCount: &count}
	}
	want := []Bucket{{"0.5", "1"}, {"+Inf", "3"}}
	for name, buckets := range map[string][]*dto.Bucket{
		"left out": {bucket(0.5, 1)},
		"there":    {bucket(0.5, 1), bucket(math.Inf(+1), 3)},
	} {
		var d Metric
		d.histogram(&dto.Histogram{SampleCount: proto.Uint64(3), Bucket: buckets})
		if !slices.Equal(d.Buckets, want) {
			t.Errorf("%s: got %v, want %v", name, d.Buckets, want)
		}
	}
}

func TestStream(t *testing.T) {
	for name, c := range map[string]struct {
		status  bus.Status
		known   bus.Known
		waiting string
		cluster string
		want    string
	}{
		"at rest": {bus.Status{Connected: true, Ready: true, Last: 7, Applied: 7, Conflicts: 1, Damaged: 2, Holes: 3, Missing: 4}, bus.Known{Bytes: 100, Events: 5, History: 1}, "", "",
			`"ready":true,"connected":true,"waiting":"","replaying":null,"sequence":7,"applied":7,"lag":0,"bytes":100,"events":5,"history":1,"conflicts":1,"damaged":2,"holes":3,"missing":4,"server":"embedded","cluster":null`},
		"during the replay": {bus.Status{Connected: true, Replaying: true, ReplayDone: 3, ReplayTotal: 9, Last: 9}, bus.Known{History: 2, External: true, URL: "nats://n"}, "replaying", "c",
			`"ready":false,"connected":true,"waiting":"replaying","replaying":{"done":3,"total":9},"sequence":9,"applied":0,"lag":9,"bytes":0,"events":0,"history":2,"conflicts":0,"damaged":0,"holes":0,"missing":0,"server":"external","url":"nats://n","cluster":{"name":"c"}`},
		"ahead of what is known": {bus.Status{Last: 4, Applied: 5}, bus.Known{}, "away", "",
			`"ready":false,"connected":false,"waiting":"away","replaying":null,"sequence":4,"applied":5,"lag":0,"bytes":0,"events":0,"history":0,"conflicts":0,"damaged":0,"holes":0,"missing":0,"server":"embedded","cluster":null`},
	} {
		r := route.New()
		New(store.New(store.Settings{}), Config{
			Ready:   func() bool { return c.waiting == "" },
			Cluster: ClusterSource{Name: func() string { return c.cluster }},
			Stream:  StreamSource{Status: func() bus.Status { return c.status }, Known: func() bus.Known { return c.known }, NotReady: func() string { return c.waiting }},
		}, promslog.NewNopLogger()).Register(r, func(_ string, h http.HandlerFunc) http.HandlerFunc { return h })
		t.Run(name, func(t *testing.T) { wantJSON(t, getJSON(t, r, "/stream"), `{"status":"success","data":{`+c.want+`}}`) })
	}
}
