package ingest

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"sluice/bus"
	"sluice/store"
)

// isBusy says whether an error tells a client to come back.
func isBusy(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && refused.Status() == 503 && refused.RetryAfter > 0 && strings.Contains(refused.Message, "--push.max-waiting-bytes")
}

// checkFree says that nothing is held any more.
func checkFree(t *testing.T, a *admission) {
	t.Helper()
	if held := a.small.held.Load(); held != 0 || len(a.few) != 0 || len(a.large) != 0 {
		t.Errorf("%d bytes, %d and %d decoders are held", held, len(a.few), len(a.large))
	}
	for _, p := range []pool{a.reading, a.decoding} {
		if !p.free.TryAcquire(p.size) {
			t.Error("bytes of a pool are held")
		} else {
			p.free.Release(p.size)
		}
	}
}

// Small bodies that are being read are bounded: past the bound others are told to
// come back, and what was held is free again afterwards.
func TestSmallBodiesThatAreReadAreBounded(t *testing.T) {
	b := newBodies(1000, 8*1500)
	slow, feed := io.Pipe()
	done := make(chan error, 1)
	go func() {
		in, err := b.read(slow, "", -1, patience)
		if err == nil {
			in.free()
		}
		done <- err
	}()
	for _, part := range []string{strings.Repeat("x", 900), "x"} { // the reader counts the first before it takes the second
		if _, err := io.WriteString(feed, part); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.read(strings.NewReader(strings.Repeat("x", 700)), "", 700, patience); !isBusy(err) {
		t.Errorf("got %v, want 503", err)
	}
	if in, err := b.read(strings.NewReader("x"), "", 1, patience); err != nil {
		t.Errorf("one that fits: %v", err)
	} else {
		in.free()
	}
	feed.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	checkFree(t, b.admission)
}

// A large body waits for those that are being read, for a time that is bounded, and
// a small one does not wait for it.
func TestLargeBodiesThatAreReadAreBounded(t *testing.T) {
	const size = 100_000
	body := strings.Repeat("x", size)
	synctest.Test(t, func(t *testing.T) {
		b := newBodies(1<<20, 4*1.5*size)
		stop := make(chan struct{})
		f := func(rest io.Reader) chan error {
			done := make(chan error, 1)
			go func() {
				in, err := b.read(io.MultiReader(strings.NewReader(body[:size-1]), rest), "", size, 4*time.Second)
				if err == nil {
					in.free()
				}
				done <- err
			}()
			synctest.Wait()
			return done
		}
		first := f(readerFunc(func(p []byte) (int, error) { <-stop; return 0, io.EOF }))
		start := time.Now()
		if err := <-f(strings.NewReader("x")); !isBusy(err) || time.Since(start) != 4*time.Second {
			t.Errorf("the second: %v after %s, want 503 after 4s", err, time.Since(start))
		}
		if in, err := b.read(strings.NewReader("m 1\n"), "", 4, 0); err != nil {
			t.Errorf("a small one: %v", err)
		} else {
			in.free()
		}
		second := f(strings.NewReader("x"))
		close(stop)
		if err := errors.Join(<-first, <-second); err != nil {
			t.Error(err)
		}
		checkFree(t, b.admission)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// There are as many large bodies with a decoder as there are processors. The others
// wait for a time that is bounded, and then get what is free.
func TestDecodersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission(0)
		var holders []*claim
		for range runtime.GOMAXPROCS(0) {
			c := &claim{of: a, wait: time.Second}
			if err := c.Admit(1 << 40); err != nil {
				t.Fatal(err)
			}
			holders = append(holders, c)
		}
		start := time.Now()
		if err := (&claim{of: a, wait: time.Second}).Admit(1); !isBusy(err) || time.Since(start) != time.Second {
			t.Errorf("got %v after %s, want 503 after 1s", err, time.Since(start))
		}
		time.AfterFunc(500*time.Millisecond, holders[0].end)
		late := &claim{of: a, wait: time.Second}
		if err := late.Admit(1); err != nil || late.wait != 500*time.Millisecond {
			t.Errorf("got %v with %s left", err, late.wait)
		}
		late.end()
		for _, c := range holders[1:] {
			c.end()
		}
		checkFree(t, a)
	})
}

// What decoding takes is bounded, whoever asks. Whoever asks again has given back what
// he had, so that two do not wait for each other.
func TestDecodingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission(800) // 300 of it for decoding
		a.large = make(chan struct{}, 2)
		first, second := &claim{of: a, wait: time.Second}, &claim{of: a, wait: time.Second}
		for _, c := range []*claim{first, second} {
			if err := c.Admit(100); err != nil {
				t.Fatal(err)
			}
		}
		done := make(chan error, 1)
		go func() {
			err := first.Admit(800) // all there is
			first.end()
			done <- err
		}()
		synctest.Wait()
		if err := second.Admit(250); err != nil { // behind the first
			t.Error(err)
		}
		second.end()
		if err := <-done; err != nil {
			t.Error(err)
		}
		checkFree(t, a)

		tooLarge := &claim{of: a, wait: time.Second}
		if refused, ok := errors.AsType[*Error](tooLarge.Admit(801)); !ok || refused.Status() != 413 || refused.Reason != reasonMemory || !strings.Contains(refused.Message, "--push.max-waiting-bytes") {
			t.Errorf("got %v, want 413", refused)
		}
		checkFree(t, a)
	})
}

// Whatever becomes of a push, it holds nothing afterwards, over HTTP and over NATS.
func TestPushesHoldNothingAfterwards(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter, func(_ *store.Settings, f *FrontConfig) { f.MaxHeld = 64 << 20 })
	conn := g.startService(t)
	lines := strings.Repeat("# a comment\n", 20_000)
	many := &strings.Builder{}
	for i := range 20_000 {
		many.WriteString("m{a=\"" + strings.Repeat("x", i%10) + strings.Repeat("y", i/10) + "\"} 1\n")
		if many.Len() > 900_000 {
			break
		}
	}
	f := func(body, encoding string, codes ...int) {
		t.Helper()
		code, text := g.do("PUT", "/metrics/job/x", body, "Content-Encoding", encoding)
		reply := request(t, conn, "sluice.push.put.job.x", body, "Content-Encoding", encoding)
		if code != codes[0] || reply.Code != code {
			t.Errorf("%.20q: %d %s, and %+v over NATS, want %d", body, code, text, reply, codes[0])
		}
		checkFree(t, g.front.bodies.admission)
	}
	f("m 1\n", "", 200)
	f(lines+"m 1\n", "", 200)
	f(many.String(), "", 200)
	f("# HELP x \r\n"+many.String(), "", 200)
	f(string(gzipped(t, []byte(many.String()))), "gzip", 200)
	f(string(gzipped(t, make([]byte, 2<<20))), "gzip", 413)
	f(many.String()+"m", "", 400)
	f("no gzip", "gzip", 400)
}

// A push that alone takes more memory than all may hold is refused by its size: to
// come back would not help it.
func TestAPushThatTakesTooMuchMemory(t *testing.T) {
	g := startGateway(t, bus.Config{}, defaultCommitter, func(_ *store.Settings, f *FrontConfig) { f.MaxHeld = 4 << 20 })
	var body strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&body, "m{a=\"%d\"} 1\n", i)
	}
	if code, text := g.do("PUT", "/metrics/job/x", body.String()); code != 200 {
		t.Errorf("by the fast path: %d %s", code, text)
	}
	code, text := g.do("PUT", "/metrics/job/x", "# HELP x \r\n"+body.String())
	if code != 413 || !strings.Contains(text, "--push.max-waiting-bytes") || g.refused(reasonMemory, viaHTTP) != 1 {
		t.Errorf("by the slow path: %d %s", code, text)
	}
	checkText(t, text)
	checkFree(t, g.front.bodies.admission)
}

// A body of which the length is not known grows as it comes.
func TestBodiesOfUnknownLength(t *testing.T) {
	b := newBodies(1<<20, 1<<20)
	body := strings.Repeat("x", 300_000)
	in, err := b.read(iotest.HalfReader(strings.NewReader(body)), "", -1, patience)
	if err != nil || string(in.bytes()) != body {
		t.Fatal("the body was not read", err)
	}
	in.free()
	checkFree(t, b.admission)
}
