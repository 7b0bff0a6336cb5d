package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"sluice/e2e/testkit"
)

const protobufType = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

// twin is one push as a request over HTTP and over NATS.
type twin struct {
	name        string
	method, key string   // of HTTP
	subject     string   // of NATS, behind sluice.push.
	group       string   // of NATS, header Sluice-Group if not empty
	body        string   // of both
	headers     []string // of both
	code        int
	remembered  bool // a refusal that the group remembers as its failure time
}

// plain is a twin whose group needs no escaping.
func plain(name, method, body string, code int, headers ...string) twin {
	return twin{
		name: name, method: method, key: "/job/a/instance/b", subject: strings.ToLower(method) + ".job.a.instance.b",
		body: body, code: code, headers: headers,
	}
}

// named returns a twin with a group whose name needs escaping.
func named(name, key, subject, group string, code int) twin {
	return twin{name: name, method: http.MethodPut, key: key, subject: subject, group: group, body: "x 1\n", code: code}
}

func (t twin) isRemembered() twin {
	t.remembered = true
	return t
}

var twins = []twin{
	plain("put", "PUT", "x 1\n", 200),
	plain("put of several types", "PUT", "# TYPE c counter\nc{l=\"v\"} 2\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n", 200),
	plain("put of nothing", "PUT", "", 200),
	plain("post", "POST", "y 1\n", 200),
	plain("delete", "DELETE", "", 202),
	plain("labels are overridden", "PUT", "x{job=\"other\",instance=\"other\"} 1\n", 200),
	plain("gzip", "PUT", zipped("x 1\n"), 200, "Content-Encoding", "gzip"),
	plain("protobuf", "PUT", gauge("x", 1), 200, "Content-Type", protobufType),
	plain("zipped protobuf", "POST", zipped(gauge("x", 1)), 200, "Content-Type", protobufType, "Content-Encoding", "gzip"),
	plain("unknown encoding is none", "PUT", "x 1\n", 200, "Content-Encoding", "gzip, snappy"),

	named("job only", "/job/a", "put.job.a", "", 200),
	named("key in a header", "/job/a/instance/10.0.0.1:9100", "put", "/job/a/instance/10.0.0.1:9100", 200),
	named("base64 in a header", "/job/a/path@base64/L3Zhci90bXA", "put", "/job/a/path@base64/L3Zhci90bXA", 200),
	named("percent-encoded in a header", "/job/a%20b", "put", "/job/a%20b", 200),
	named("base64 token", "/job@base64/YS5iL2M", "put.job@base64.YS5iL2M", "", 200),
	named("percent-encoded token", "/job/a%2Eb%20c", "put.job.a%2Eb%20c", "", 200),
	named("empty value", "/job/a/instance@base64/=", "put.job.a.instance@base64.=", "", 200),
	named("bad label name", "/job/a/in-stance/b", "put.job.a.in-stance.b", "", 400),
	named("bad base64", "/job@base64/!", "put.job@base64.!", "", 400),
	named("empty job", "/job@base64/=", "put.job@base64.=", "", 400),

	plain("not the text format", "PUT", "x{ 1\n", 400),
	plain("cut off", "PUT", "x 1", 400),
	plain("not gzip", "PUT", "x 1\n", 400, "Content-Encoding", "gzip"),
	plain("not protobuf", "PUT", "x 1\n", 400, "Content-Type", protobufType),
	plain("timestamp", "PUT", "x 1 1700000000000\n", 400).isRemembered(),
	plain("inconsistent with another group", "PUT", "# TYPE settled gauge\nsettled 1\n", 400).isRemembered(),
	plain("inconsistent with the gateway itself", "POST", "# TYPE go_goroutines counter\ngo_goroutines 1\n", 400).isRemembered(),
}

func TestNATSGivesTheVerdictsOfHTTP(t *testing.T) {
	g := newSite(t).start("--bus.listen=127.0.0.1:0", "--web.enable-admin-api")
	conn := connect(t, g.natsURL())
	// ask sends a push to an empty gateway and returns the verdict and what is shown.
	ask := func(t *testing.T, send func() (verdict, error)) (verdict, []string) {
		t.Helper()
		g.must(http.StatusAccepted, http.MethodPut, "/api/v1/admin/wipe", "")
		g.must(http.StatusOK, http.MethodPut, "/metrics/job/settled", "# TYPE settled counter\nsettled 1\n")
		g.must(http.StatusOK, http.MethodPut, "/metrics/job/a/instance/b", "x 0\n")
		v, err := send()
		if err != nil {
			t.Fatal(err)
		}
		return v, withoutTimes(g.scrape())
	}
	for _, twin := range twins {
		t.Run(twin.name, func(t *testing.T) {
			byHTTP, shownByHTTP := ask(t, func() (verdict, error) {
				return overHTTP{g}.send(twin.method, twin.key, twin.body, twin.headers...)
			})
			byNATS, shownByNATS := ask(t, func() (verdict, error) {
				headers := twin.headers
				if twin.group != "" {
					headers = append(slices.Clone(headers), "Sluice-Group", twin.group)
				}
				return request(conn, "sluice.push."+twin.subject, twin.body, headers...)
			})
			if byHTTP.Code != twin.code || byNATS != byHTTP {
				t.Errorf("want code %d\nHTTP says %+v\nNATS says %+v", twin.code, byHTTP, byNATS)
			}
			if (byNATS.Error == "") != (twin.code < 300) {
				t.Errorf("code %d with the error %q", byNATS.Code, byNATS.Error)
			}
			if !slices.Equal(shownByHTTP, shownByNATS) {
				t.Errorf("after HTTP:\n%s\nafter NATS:\n%s", strings.Join(shownByHTTP, "\n"), strings.Join(shownByNATS, "\n"))
			}
			failed := slices.ContainsFunc(shownByNATS, func(line string) bool {
				return strings.HasPrefix(line, "push_failure_time_seconds{") && strings.HasSuffix(line, " set")
			})
			if failed != twin.remembered {
				t.Errorf("a failure time is shown: %t\n%s", failed, strings.Join(shownByNATS, "\n"))
			}
		})
	}
}

// withoutTimes returns the groups' lines. Of times it says only whether they are set.
func withoutTimes(e exposition) []string {
	lines := e.pushed()
	for i, line := range lines {
		if strings.HasPrefix(line, "push_time_seconds{") || strings.HasPrefix(line, "push_failure_time_seconds{") {
			series, value, _ := strings.Cut(line, "} ")
			lines[i] = series + "} set"
			if value == "0" {
				lines[i] = series + "} unset"
			}
		}
	}
	return lines
}

func TestNATSRefusesBadSubjects(t *testing.T) {
	g := newSite(t).start("--bus.listen=127.0.0.1:0")
	conn := connect(t, g.natsURL())
	refused := func(subject string, headers ...string) {
		t.Helper()
		v, err := request(conn, subject, "x 1\n", headers...)
		if err != nil || v.Code != http.StatusBadRequest || v.Error == "" {
			t.Errorf("%s: %+v, %v, want 400 and a reason", subject, v, err)
		}
	}
	refused("sluice.push.put")                          // no key at all
	refused("sluice.push.put.job")                      // a label without a value
	refused("sluice.push.put.instance.a")               // no job
	refused("sluice.push.put.job.a.instance")           // a label without a value
	refused("sluice.push.put.job.%zz")                  // no percent-encoding
	refused("sluice.push.put", "Sluice-Group", "job/a") // no slash
	refused("sluice.push.put", "Sluice-Group", "/job")  // a label without a value
	if shown := g.scrape().of("instance", "a"); len(shown) > 0 {
		t.Errorf("shown: %v", shown)
	}
}

func TestAPlainPublishIsAPush(t *testing.T) {
	g := newSite(t).start("--bus.listen=127.0.0.1:0")
	conn := connect(t, g.natsURL())
	published := series("published", "plain", "one")
	shows := func(want int64, exists bool) func() bool {
		return func() bool {
			have, shown := g.scrape().value(published)
			return have == want && shown == exists
		}
	}
	publish := func(method, body string) {
		t.Helper()
		if err := conn.Publish(pushSubject(method, keyOf("plain", "one")), []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	publish(http.MethodPut, "published 1\n")
	testkit.Within(t, requestBound, "a put is shown", shows(1, true))
	publish(http.MethodPost, "published 2\n")
	testkit.Within(t, requestBound, "a post is shown", shows(2, true))
	publish(http.MethodPut, "published 3 1700000000000\n") // refused for its timestamp, and nobody hears it
	testkit.Within(t, requestBound, "a refusal is shown", func() bool {
		at, _ := g.scrape().value(series("push_failure_time_seconds", "plain", "one"))
		return at > 0
	})
	publish(http.MethodDelete, "")
	testkit.Within(t, requestBound, "a delete is shown", shows(0, false))
}

func TestTheNATSServiceCanBeDiscovered(t *testing.T) {
	g := newSite(t).start("--bus.listen=127.0.0.1:0")
	conn := connect(t, g.natsURL())
	reply, err := conn.Request("$SRV.PING", nil, requestBound)
	if err != nil {
		t.Fatal(err)
	}
	var ping struct{ Name string }
	if err := json.Unmarshal(reply.Data, &ping); err != nil || ping.Name != "sluice" {
		t.Errorf("a service answers %s, %v", reply.Data, err)
	}
}

func zipped(body string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(body)) // into memory, which does not fail
	z.Close()
	return b.String()
}

// gauge encodes a family with one gauge.
func gauge(name string, value float64) string {
	var b bytes.Buffer
	family := &dto.MetricFamily{
		Name: proto.String(name), Type: dto.MetricType_GAUGE.Enum(),
		Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: proto.Float64(value)}}},
	}
	if _, err := protodelim.MarshalTo(&b, family); err != nil {
		panic(err) // a message of our own
	}
	return b.String()
}
