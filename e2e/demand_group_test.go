package e2e

import (
	"bytes"
	"net/http"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"
)

// What people expect of groups, when they delete, replace, add up, and push histograms.
func TestDemandGroups(t *testing.T) {
	const typed = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n"
	testDemands(t, nil, []demand{
		{name: "PGW#77 DELETE of a job removes the group with that key only",
			steps: []step{put("/job/j", "m 1\n"), put("/job/j/instance/i", "m 2\n"), put("/job/j/instance/k", "m 3\n"), del("/job/j")},
			shows: []string{`m{instance="i",job="j"} 2`, `m{instance="k",job="j"} 3`}},
		{name: "PGW#162 DELETE of a longer key leaves the shorter",
			steps: []step{put("/job/j", "m 1\n"), put("/job/j/instance/i", "m 2\n"), del("/job/j/instance/i")},
			shows: []string{`m{instance="",job="j"} 1`}},
		{name: "PGW#742 DELETE by a label that is not in the key does nothing",
			steps: []step{put("/job/j", "m{instance=\"abc\"} 1\n"), del("/job/j/instance/abc")},
			shows: []string{`m{instance="abc",job="j"} 1`}},
		{name: "PGW#499 DELETE with a wrong value does nothing",
			steps: []step{put("/job/j/instance/i", "m 1\n"), del("/job/j/instance/other"), del("/job/other/instance/i")},
			shows: []string{`m{instance="i",job="j"} 1`}},
		{name: "PGW#256 DELETE by exported_job or by series is not found",
			steps: []step{put("/job/t", "m 1\n"), {method: http.MethodDelete, path: "/metrics/exported_job/t", code: http.StatusNotFound},
				{method: http.MethodDelete, path: "/metrics/m", code: http.StatusNotFound}},
			shows: []string{`m{instance="",job="t"} 1`}},
		{name: "client_golang#611 DELETE is answered by 202, once and again",
			steps: []step{put("/job/x", "m 1\n"), del("/job/x"), del("/job/x")}},
		{name: "client_python sends DELETE with a content type and no body",
			steps: []step{put("/job/x", "m 1\n"), del("/job/x").with("Content-Type", "text/plain; version=0.0.4; charset=utf-8")}},
		{name: "DELETE with a body: it is ignored",
			steps: []step{put("/job/x", "m 1\n"), {method: http.MethodDelete, path: "/metrics/job/x", body: "m 1", code: http.StatusAccepted}}},
		{name: "PGW#126 PUT with an empty body empties the group and keeps it",
			steps: []step{put("/job/x", "m 1\n"), put("/job/x", "")}},
		{name: "PGW#126 POST with an empty body removes nothing",
			steps: []step{put("/job/x", "m 1\n"), post("/job/x", "")},
			shows: []string{"m" + jobX() + " 1"}},
		{name: "PGW#126 a body of comments is an empty one",
			steps: []step{put("/job/x", "m 1\n"), put("/job/x", "# nothing today\n")}},

		{name: "PGW#87 counters do not add up, the last push replaces",
			steps: []step{post("/job/x", "# TYPE c counter\nc 8\n"), post("/job/x", "# TYPE c counter\nc 3\n")},
			shows: []string{"c" + jobX() + " 3"}},
		{name: "prom-aggregation-gateway#5 a summary does not add up either",
			steps: []step{post("/job/x", "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 2\ns_count 3\n"), post("/job/x", "# TYPE s summary\ns_sum 5\ns_count 1\n")},
			shows: []string{"s_sum" + jobX() + " 5", "s_count" + jobX() + " 1"}},
		{name: "PGW#65 POST of one series removes the other series of that name",
			steps: []step{post("/job/x", "m{a=\"1\"} 1\nm{a=\"2\"} 2\nn 1\n"), post("/job/x", "m{a=\"1\"} 3\n")},
			shows: []string{"m" + jobX(`a="1"`) + " 3", "n" + jobX() + " 1"}},
		{name: "PGW#305 POST in another group removes nothing",
			steps: []step{post("/job/x", "m{a=\"1\"} 1\n"), post("/job/x/instance/i", "m{a=\"1\"} 2\n")},
			shows: []string{"m" + jobX(`a="1"`) + " 1", `m{a="1",instance="i",job="x"} 2`}},
		{name: "PGW#366 PUT removes other names as well",
			steps: []step{put("/job/x", "m 1\n"), put("/job/x", "n 1\n")},
			shows: []string{"n" + jobX() + " 1"}},
		{name: "prometheus-cpp sends one PUT for each registry: the last one stays",
			steps: []step{put("/job/x", "a 1\n"), put("/job/x", "b 1\n"), put("/job/x", "c 1\n")},
			shows: []string{"c" + jobX() + " 1"}},
		{name: "PGW#74 two hosts with one key: the last one stays",
			steps: []step{put("/job/x", "m{host=\"a\"} 1\n"), put("/job/x", "m{host=\"b\"} 2\n")},
			shows: []string{"m" + jobX(`host="b"`) + " 2"}},
		{name: "PGW#371 a scrape does not consume what it shows",
			steps: []step{put("/job/x", "m 1\n"), get("/metrics"), get("/metrics"), get("/api/v1/metrics")},
			shows: []string{"m" + jobX() + " 1"}},

		{name: "bucket, sum and count without TYPE are three untyped families",
			steps: []step{post("/job/x", "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n")},
			shows: []string{"h_bucket" + jobX(`le="1"`) + " 1", "h_bucket" + jobX(`le="+Inf"`) + " 2", "h_sum" + jobX() + " 3", "h_count" + jobX() + " 2"},
			types: []string{"h_bucket untyped", "h_sum untyped", "h_count untyped"}},
		{name: "and collide with a typed push elsewhere",
			steps:  []step{post("/job/x", "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n"), post("/job/a", typed).refused()},
			shows:  []string{"h_bucket" + jobX(`le="1"`) + " 1", "h_bucket" + jobX(`le="+Inf"`) + " 2", "h_sum" + jobX() + " 3", "h_count" + jobX() + " 2"},
			failed: []string{`{instance="",job="a"}`}},
		{name: "POST of a histogram replaces all buckets",
			steps: []step{post("/job/x", typed), post("/job/x", "# TYPE h histogram\nh_bucket{le=\"2\"} 5\nh_bucket{le=\"+Inf\"} 6\nh_sum 7\nh_count 6\n")},
			shows: []string{"h_bucket" + jobX(`le="2"`) + " 5", "h_bucket" + jobX(`le="+Inf"`) + " 6", "h_sum" + jobX() + " 7", "h_count" + jobX() + " 6"}},
		{name: "PGW#596 a native histogram by protobuf: a text scrape has count, sum and the last bucket",
			steps: []step{put("/job/x", delimited(t, nativeHistogram())).with("Content-Type", delimitedProtobuf)},
			shows: []string{"n_bucket" + jobX(`le="+Inf"`) + " 3", "n_sum" + jobX() + " 4.5", "n_count" + jobX() + " 3"},
			types: []string{"n histogram"}},

		{name: "client_golang#650 a push is answered by 200 with an empty body, also the second",
			steps: []step{put("/job/x", "m 1\n"), put("/job/x", "m 1\n"), post("/job/x", "m 1\n")},
			shows: []string{"m" + jobX() + " 1"}},
		{name: "xk6#14 POST /metrics is not allowed; nor is PUT, which prom-client sends without a job",
			steps: []step{{method: http.MethodPost, path: "/metrics", body: "m 1\n", code: http.StatusMethodNotAllowed},
				{method: http.MethodPut, path: "/metrics", body: "m 1\n", code: http.StatusMethodNotAllowed},
				{method: http.MethodGet, path: "/metrics/job/x", code: http.StatusMethodNotAllowed},
				{method: http.MethodPatch, path: "/metrics/job/x", body: "m 1\n", code: http.StatusMethodNotAllowed}}},
		{name: "PGW#105 health needs no page",
			steps: []step{get("/-/healthy"), get("/-/ready")}},
	})
}

func TestDemandUncheckedPushes(t *testing.T) {
	testDemands(t, []string{"--push.disable-consistency-check"}, []demand{
		{name: "PGW#318 an unchecked push is answered by 202",
			steps: []step{put("/job/x", "m 1\n").answers(http.StatusAccepted), post("/job/x", "n 1\n").answers(http.StatusAccepted), del("/job/y")},
			shows: []string{"m" + jobX() + " 1", "n" + jobX() + " 1"}},
		{name: "PGW#544 a clash of types fails the scrape, as there, and readiness tells it, until the clash is over",
			steps: []step{
				put("/job/a", "# TYPE m gauge\nm 1\n").answers(http.StatusAccepted), put("/job/b", "# TYPE m counter\nm 2\n").answers(http.StatusAccepted),
				get("/metrics").answers(http.StatusInternalServerError), get("/-/ready").answers(http.StatusServiceUnavailable, "scrapes fail", `"?m"?`), get("/-/healthy"),
				put("/job/b", "# TYPE m gauge\nm 2\n").answers(http.StatusAccepted), get("/-/ready"),
			},
			shows: []string{`m{instance="",job="a"} 1`, `m{instance="",job="b"} 2`}},
		{name: "PGW#313 what cannot be read is refused all the same",
			steps: []step{put("/job/x", "m").refused(), put("/job/x/a", "m 1\n").refused(), put("/job@base64/=", "m 1\n").refused()}},
	})
}

// The answer to a wrong method names the right ones.
func TestWrongMethodsAreToldTheRightOnes(t *testing.T) {
	g := newSite(t).start()
	if a := g.must(http.StatusMethodNotAllowed, http.MethodPost, "/metrics", "m 1\n"); a.header.Get("Allow") == "" {
		t.Error("POST /metrics: 405 without Allow")
	}
	a := g.must(http.StatusMethodNotAllowed, http.MethodGet, "/metrics/job/x", "")
	for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodDelete} {
		if !bytes.Contains([]byte(a.header.Get("Allow")), []byte(method)) {
			t.Errorf("GET of a group: 405 with Allow %q, want %s in it", a.header.Get("Allow"), method)
		}
	}
}

const delimitedProtobuf = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

// nativeHistogram returns the family n with three observations and no classic bucket.
func nativeHistogram() *dto.MetricFamily {
	return &dto.MetricFamily{
		Name: proto.String("n"), Help: proto.String("native"), Type: dto.MetricType_HISTOGRAM.Enum(),
		Metric: []*dto.Metric{{Histogram: &dto.Histogram{
			SampleCount: proto.Uint64(3), SampleSum: proto.Float64(4.5),
			Schema: proto.Int32(3), ZeroThreshold: proto.Float64(1e-128), ZeroCount: proto.Uint64(1),
			PositiveSpan:  []*dto.BucketSpan{{Offset: proto.Int32(0), Length: proto.Uint32(2)}},
			PositiveDelta: []int64{1, 0},
		}}},
	}
}

// delimited returns families as client libraries push them.
func delimited(t *testing.T, families ...*dto.MetricFamily) string {
	t.Helper()
	var out bytes.Buffer
	for _, family := range families {
		if _, err := protodelim.MarshalTo(&out, family); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}
