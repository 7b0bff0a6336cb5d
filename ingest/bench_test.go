package ingest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/bus"
	"sluice/bus/embed"
	"sluice/ingest/decode"
	"sluice/store"
)

const benchSeries = 20 // of each push, as e2e/loadgen pushes them

// benchBody is a push of 20 series in 4 families.
func benchBody(seq int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# HELP load_seq Number of the push.\n# TYPE load_seq gauge\nload_seq %d\n", seq)
	for _, f := range []struct {
		name, kind string
		n          int
	}{{"load_ratio_0", "gauge", 4}, {"load_work_total_0", "counter", 3}} {
		fmt.Fprintf(&b, "# HELP %s Synthetic.\n# TYPE %s %s\n", f.name, f.name, f.kind)
		for i := range f.n {
			fmt.Fprintf(&b, "%s{part=\"p%d\"} %d.%03d\n", f.name, i, i*7919%1000, seq*104729%1000)
		}
	}
	b.WriteString("# HELP load_duration_seconds Synthetic.\n# TYPE load_duration_seconds histogram\n")
	for i, le := range strings.Fields("0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 +Inf") {
		fmt.Fprintf(&b, "load_duration_seconds_bucket{le=\"%s\"} %d\n", le, 137*(i+1))
	}
	b.WriteString("load_duration_seconds_sum 18.769\nload_duration_seconds_count 1370\n")
	return []byte(b.String())
}

// fill pushes that many groups straight to the committer.
func (g *gateway) fill(b *testing.B, groups int) {
	var waiting sync.WaitGroup
	slots := make(chan struct{}, 512)
	for i := range groups {
		key, err := store.ParseKey(fmt.Sprintf("/job/job%d/instance/host%d", i%10, i))
		if err != nil {
			b.Fatal(err)
		}
		families, err := decode.Families(benchBody(i), "", key, decode.Options{})
		if err != nil {
			b.Fatal(err)
		}
		slots <- struct{}{}
		waiting.Add(1)
		c := Change{Op: store.OpPut, Key: key, Families: families, Time: time.Now()}
		err = g.committer.Enqueue(b.Context(), c, func(err error) {
			if err != nil {
				b.Error(err)
			}
			<-slots
			waiting.Done()
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	waiting.Wait()
}

// BenchmarkPush is a push over HTTP from the client's first byte to the answer,
// with eight connections, and its way through the stream in between.
func BenchmarkPush(b *testing.B) {
	for _, sync := range []embed.SyncMode{embed.SyncInterval, embed.SyncAlways} {
		for _, groups := range []int{100, 10_000, 100_000} {
			b.Run(fmt.Sprintf("sync=%s/groups=%d", sync, groups), func(b *testing.B) {
				g := startGateway(b, bus.Config{Server: embed.Config{Sync: sync}}, CommitterConfig{Wait: patience, MaxWaiting: 1024})
				g.fill(b, groups)
				server := httptest.NewServer(g.handler)
				defer server.Close()
				transport := &http.Transport{MaxIdleConnsPerHost: 64}
				defer transport.CloseIdleConnections()
				client := &http.Client{Transport: transport}
				var next atomic.Int64
				b.SetParallelism(4)
				b.ReportAllocs()
				b.ResetTimer()
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						i := int(next.Add(1))
						host := i * 7919 % groups
						url := fmt.Sprintf("%s/metrics/job/job%d/instance/host%d", server.URL, host%10, host)
						r, err := http.NewRequest(http.MethodPut, url, bytes.NewReader(benchBody(i)))
						if err != nil {
							b.Error(err)
							return
						}
						answer, err := client.Do(r)
						if err != nil {
							b.Error(err)
							return
						}
						io.Copy(io.Discard, answer.Body)
						answer.Body.Close()
						if answer.StatusCode != http.StatusOK {
							b.Errorf("got %s", answer.Status)
							return
						}
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pushes/s")
				b.ReportMetric(float64(b.N)*benchSeries/b.Elapsed().Seconds(), "series/s")
			})
		}
	}
}
