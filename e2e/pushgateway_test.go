package e2e

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/prototext"

	"sluice/e2e/testkit"
)

// pushgateway is a running Pushgateway, with the client methods of a sluice.
type pushgateway struct {
	sluice
	cmd    *exec.Cmd
	exited chan error
}

// pushgatewayBinary returns the path of Debian's Pushgateway, 1.5.1, or of the newer
// one that E2E_PUSHGATEWAY names.
func pushgatewayBinary(tb testing.TB) (path string, newer bool) {
	tb.Helper()
	if binary := os.Getenv("E2E_PUSHGATEWAY"); binary != "" {
		return binary, true
	}
	return debian(tb, "prometheus-pushgateway"), false
}

// startPushgateway starts one that writes its persistence file every second.
func startPushgateway(s *site, address, file string, flags ...string) *pushgateway {
	s.t.Helper()
	log, err := os.Create(filepath.Join(s.dir, "pushgateway.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	p := &pushgateway{sluice: sluice{site: s, t: s.t, url: "http://" + address}, exited: make(chan error, 1)}
	path, _ := pushgatewayBinary(s.t)
	p.cmd = exec.Command(path, append(commandLine(address, file), flags...)...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		s.t.Fatalf("start Pushgateway: %v", err)
	}
	go func() { p.exited <- p.cmd.Wait() }()
	s.t.Cleanup(func() {
		p.cmd.Process.Kill()
		log.Close()
	})
	testkit.Within(s.t, requestBound, "Pushgateway is ready", func() bool {
		a, err := p.do(http.MethodGet, "/-/ready", "")
		return err == nil && a.code == http.StatusOK
	})
	return p
}

// commandLine returns the flags of a Pushgateway, and then of the Sluice in its place.
func commandLine(address, file string) []string {
	return []string{"--web.listen-address=" + address, "--persistence.file=" + file, "--persistence.interval=1s"}
}

// end sends a signal and waits for the end.
func (p *pushgateway) end(signal syscall.Signal) {
	p.t.Helper()
	p.site.client.CloseIdleConnections() // or it waits for them
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.exited:
	case <-time.After(requestBound):
		p.t.Fatal("Pushgateway does not end")
	}
}

// load pushes from several clients at once, for at least two writes of the file.
func (p *pushgateway) load() {
	var all sync.WaitGroup
	end := time.Now().Add(2500 * time.Millisecond)
	for client := range clients {
		all.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				path := fmt.Sprintf("/metrics/job/load-%d/instance/i%d", client, n%7)
				method, body := http.MethodPost, fmt.Sprintf("# TYPE load_count counter\nload_count %d\nload_last{client=\"c%d\"} %g\n", n, client, math.Sqrt(float64(n)))
				switch {
				case n%11 == 3:
					method, body = http.MethodDelete, ""
				case n%5 == 4:
					method, body = http.MethodPut, fmt.Sprintf("load_only{n=\"%d\"} 1\n", n)
				case n%13 == 12:
					body = "# TYPE text_gauge counter\ntext_gauge 1\n" // which is refused
				}
				if _, err := p.do(method, path, body); err != nil {
					p.t.Errorf("%s %s: %v", method, path, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// pushAllKinds pushes all kinds of groups that a persistence file can have.
func (p *pushgateway) pushAllKinds() {
	p.t.Helper()
	p.must(http.StatusOK, http.MethodPut, "/metrics/job/text", textBody)
	p.must(http.StatusOK, http.MethodPost, "/metrics/job/text/instance/a", textBody)
	// One family is older than the other.
	p.must(http.StatusOK, http.MethodPost, "/metrics/job/older", "first 1\nsecond 1\n")
	p.must(http.StatusOK, http.MethodPost, "/metrics/job/older", "second 2\n")
	// Values that need base64, an empty value, and a value that is not ASCII.
	p.must(http.StatusOK, http.MethodPut, "/metrics/job@base64/YS9i/path@base64/L3Zhci90bXA", "slashes 1\n")
	p.must(http.StatusOK, http.MethodPut, "/metrics/job/empty/some@base64/=", "empty 1\n")
	p.must(http.StatusOK, http.MethodPut, "/metrics/job/%C3%BCber/instance/%E2%82%AC", "utf8{value=\"\u00fc \\\"quoted\\\" \\\\ \\n\"} 1\n")
	// A failure after a success, and one without.
	p.must(http.StatusOK, http.MethodPut, "/metrics/job/fails", "fine 1\n")
	p.must(http.StatusBadRequest, http.MethodPost, "/metrics/job/fails", "# TYPE text_gauge counter\ntext_gauge 1\n")
	p.must(http.StatusBadRequest, http.MethodPut, "/metrics/job/never/instance/good", "# TYPE text_gauge counter\ntext_gauge 1\n")
	// A success after a failure.
	p.must(http.StatusBadRequest, http.MethodPut, "/metrics/job/recovers", "timed 1 1700000000000\n")
	p.must(http.StatusOK, http.MethodPut, "/metrics/job/recovers", "timed 1\n")
	p.must(http.StatusOK, http.MethodPut, "/metrics/job/proto/instance/p", protoBody(p.t),
		"Content-Type", "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited")
	p.must(http.StatusOK, http.MethodPut, "/metrics/job/gone", "gone 1\n")
	p.must(http.StatusAccepted, http.MethodDelete, "/metrics/job/gone", "")
	p.must(http.StatusOK, http.MethodPut, "/metrics/job/nothing", "")
}

const textBody = `# HELP text_counter Text with \\ and \n.
# TYPE text_counter counter
text_counter{z="1",a="2"} 1.5e+300
text_counter{z="2"} 1
# TYPE text_gauge gauge
text_gauge -Inf
text_untyped{x="nan"} NaN
text_untyped{x="minus zero"} -0
# TYPE text_summary summary
text_summary{quantile="0.5"} 2
text_summary{quantile="0.99"} NaN
text_summary_sum 17.25
text_summary_count 4
# HELP text_histogram A histogram.
# TYPE text_histogram histogram
text_histogram_bucket{le="0.1"} 1
text_histogram_bucket{le="+Inf"} 3
text_histogram_sum 4.5
text_histogram_count 3
`

// protoMessages are families that the text format cannot express.
var protoMessages = []string{
	`name: "proto_created" type: COUNTER metric { counter { value: 3 created_timestamp { seconds: 1600000000 nanos: 5 } exemplar { value: 1 } } }`,
	`name: "proto_summary" type: SUMMARY metric { summary { sample_count: 9007199254740993 sample_sum: 1 quantile { quantile: 0.5 value: 1 } } }`,
	`name: "proto_empty" type: GAUGE help: "No metric."`,
	`name: "proto_classic" type: HISTOGRAM metric { histogram { sample_count: 5 sample_sum: 3 bucket { cumulative_count: 2 upper_bound: 1 } } }`,
}

// nativeMessages are native histograms. Pushgateway supports them since 1.6.
var nativeMessages = []string{
	`name: "proto_native" help: "Native." type: HISTOGRAM metric { label { name: "x" value: "1" } histogram {
		sample_count: 6 sample_sum: 4.5 schema: 2 zero_threshold: 0.001 zero_count: 1
		positive_span { offset: 0 length: 2 } positive_delta: 2 positive_delta: 1
		bucket { cumulative_count: 6 upper_bound: inf exemplar { label { name: "trace" value: "t" } value: 0.5 timestamp { seconds: 1700000000 } } } } }`,
	`name: "proto_float" type: HISTOGRAM metric { histogram { sample_count_float: 3.5 sample_sum: 2 schema: 0 zero_threshold: 0.01
		zero_count_float: 1.5 negative_span { offset: 1 length: 1 } negative_count: 2 } }`,
}

func protoBody(t *testing.T) string {
	t.Helper()
	var body bytes.Buffer
	messages := protoMessages
	if _, newer := pushgatewayBinary(t); newer {
		messages = append(slices.Clone(messages), nativeMessages...)
	}
	for _, text := range messages {
		mf := &dto.MetricFamily{}
		if err := prototext.Unmarshal([]byte(text), mf); err != nil {
			t.Fatal(err)
		}
		if _, err := protodelim.MarshalTo(&body, mf); err != nil {
			t.Fatal(err)
		}
	}
	return body.String()
}

// waitWritten waits until the file has all earlier pushes.
func (p *pushgateway) waitWritten(file string) {
	p.t.Helper()
	mark := fmt.Sprint("written-", time.Now().UnixNano())
	p.must(http.StatusOK, http.MethodPut, "/metrics/job/"+mark, "written 1\n")
	testkit.Within(p.t, requestBound, "the persistence file is written", func() bool {
		data, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(data), mark)
	})
}
