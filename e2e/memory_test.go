package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"sluice/e2e/testkit"
)

// memory returns a field of /proc/<pid>/status in bytes: VmRSS is what is resident,
// VmHWM the most that ever was.
func (g *sluice) memory(field string) int64 {
	g.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.PID()))
	if err != nil {
		g.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "\n"+field+":")
	kilobytes, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseInt(kilobytes, 10, 64)
	if err != nil {
		g.t.Fatalf("%s: %v", field, err)
	}
	return n << 10
}

// worstBody is a push that takes much memory for its size.
type worstBody struct {
	name, encoding, contentType string
	body                        []byte
}

// worstBodies are 194 kB of gzip that become 200 MB, and two bodies of 8 MB that the
// fast path does not take: text with a carriage return in each line, and protobuf.
func worstBodies(t *testing.T) []worstBody {
	t.Helper()
	const size = 8 << 20
	var bomb, text, proto bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := io.Copy(z, io.LimitReader(spaces{}, 200<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	text.WriteString("# TYPE m gauge\n")
	for i := 0; text.Len() < size; i++ {
		fmt.Fprintf(&text, "m{a=\"\r%06d\"} 1\n", i)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	var plain bytes.Buffer
	for i := range size / 33 { // bytes of each series in protobuf
		fmt.Fprintf(&plain, "m{a=\"%06d\"} 1\n", i)
	}
	families, err := parser.TextToMetricFamilies(&plain)
	if err != nil {
		t.Fatal(err)
	}
	if err := expfmt.NewEncoder(&proto, expfmt.NewFormat(expfmt.TypeProtoDelim)).Encode(families["m"]); err != nil {
		t.Fatal(err)
	}
	return []worstBody{
		{"gzip", "gzip", "", bomb.Bytes()},
		{"text", "", "", text.Bytes()},
		{"protobuf", "", string(expfmt.NewFormat(expfmt.TypeProtoDelim)), proto.Bytes()},
	}
}

// spaces is an endless line of blanks.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// The memory of pushes is bounded by what is resident, not by what was sent: 200 of
// the worst bodies at once get a verdict or are told to come back, small pushes are
// taken meanwhile, and the memory is given back.
func TestMemoryOfTheWorstBodies(t *testing.T) {
	const (
		pushes = 200
		// --push.max-waiting-bytes is 384 MiB here. The collector may let as much again
		// lie, and the process has some 100 MB. Without the bound it was 6 GB.
		mostResident = 1 << 30
		// An idle gateway has some 60 MB, and what was stored.
		mostAfterwards = 400 << 20
	)
	factor := int64(1)
	if os.Getenv("E2E_RACE") == "1" {
		factor = 5 // what the race detector notes of memory is resident, too, and stays
	}
	g := newSite(t).start("--push.max-waiting-bytes=402653184", "--push.wait=15s")
	var running sync.WaitGroup
	var mu sync.Mutex
	codes := map[string]int{}
	bodies := worstBodies(t)
	for i := range pushes {
		b := bodies[i%len(bodies)]
		running.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, g.url+groupPath("worst", fmt.Sprint(i%6)), bytes.NewReader(b.body))
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Content-Encoding", b.encoding)
			r.Header.Set("Content-Type", b.contentType)
			resp, err := g.site.client.Do(r)
			verdict := "closed" // the gateway answered without reading the body
			if err == nil {
				verdict = fmt.Sprint(resp.StatusCode)
				resp.Body.Close()
			}
			mu.Lock()
			defer mu.Unlock()
			codes[b.name+" "+verdict]++
		})
	}
	var done atomic.Bool
	go func() {
		running.Wait()
		done.Store(true)
	}()
	small, refused := 0, 0
	for !done.Load() {
		a, err := g.do(http.MethodPut, groupPath("small", "one"), fmt.Sprintf("small %d\n", small))
		switch {
		case err == nil && a.code == http.StatusOK:
			small++
		case err == nil && a.code == http.StatusServiceUnavailable:
			refused++ // where even a small body has waited for a processor for seconds
		default:
			t.Errorf("a small push: %d %s, %v", a.code, a.body, err)
		}
	}
	running.Wait()
	peak := g.memory("VmHWM")
	t.Logf("%v; %d small pushes were taken and %d not; %d MiB resident at most", codes, small, refused, peak>>20)
	if small <= refused {
		t.Errorf("%d small pushes were taken, %d not", small, refused)
	}
	if int64(peak) > factor*mostResident {
		t.Errorf("%d MiB were resident", peak>>20)
	}
	for verdict := range codes {
		switch verdict {
		case "gzip 413", "gzip 503", "text 200", "text 413", "text 503", "text closed", "protobuf 200", "protobuf 503", "protobuf closed":
		default:
			t.Errorf("%s", verdict)
		}
	}
	// More stays when more was accepted; stored groups alone do not explain how much.
	stored := int64(codes["protobuf 200"] + codes["text 200"])
	testkit.Within(t, testkit.Patience, "the memory is given back", func() bool { return int64(g.memory("VmRSS")) < factor*(mostAfterwards+stored*64<<20) })
	t.Logf("%d MiB resident afterwards", g.memory("VmRSS")>>20)
}
