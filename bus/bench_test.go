package bus

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/bus/embed"
	"sluice/e2e/testkit"
	"sluice/store"
)

// eventText is canonical text of about a size.
func eventText(instance string, size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "# TYPE metric_%04d gauge\n", i)
		for j := range 4 {
			fmt.Fprintf(&b, "metric_%04d{code=\"%d\",instance=%q,job=\"backup\"} %d\n", i, j, instance, i*j*7919)
		}
	}
	return b.String()
}

func eventOf(i, size int) store.Event {
	name := fmt.Sprintf("host%06d", i)
	return store.Event{
		Op: store.OpPut, Key: testkit.MustKey("/job/backup/instance/" + name), PushTime: 1_700_000_000_123_456_789,
		Families: testkit.Families(eventText(name, size)), Origin: "http 192.0.2.1",
	}
}

func quietBus(b *testing.B, cfg Config) *Bus {
	b.Helper()
	bus, err := Open(context.Background(), cfg, slog.New(slog.NewTextHandler(io.Discard, nil)), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := bus.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return bus
}

// BenchmarkAppend compares the two ways to append a batch: figures are events a
// second.
func BenchmarkAppend(b *testing.B) {
	for _, sync := range []embed.SyncMode{embed.SyncAlways, embed.SyncInterval} {
		for _, way := range []string{"chain", "atomic"} {
			for _, size := range []int{1, 2, 4, 8, 16, 32, 64, 128} {
				b.Run(fmt.Sprintf("sync=%s/way=%s/events=%d", sync, way, size), func(b *testing.B) {
					benchmarkAppend(b, sync, way, size)
				})
			}
		}
	}
}

func benchmarkAppend(b *testing.B, sync embed.SyncMode, way string, size int) {
	bus := quietBus(b, Config{Server: embed.Config{DataDir: b.TempDir(), Sync: sync}})
	events := make([]store.Event, 1000)
	for i := range events {
		events[i] = eventOf(i, 2000)
	}
	publish := bus.appender.publishChain
	if way == "atomic" {
		publish = bus.appender.publishAtomic
	}
	ctx := context.Background()
	after, next := uint64(0), 0
	begin := cpu()
	b.ResetTimer()
	for range b.N {
		batch := make([]store.Event, size)
		for i := range batch {
			batch[i] = events[next%len(events)]
			next++
		}
		messages, err := bus.appender.encodeAll(batch)
		if err != nil {
			b.Fatal(err)
		}
		c := &chunk{after: after, messages: messages}
		if settled, err := publish(ctx, c, true); !settled || err != nil {
			b.Fatal(settled, err)
		}
		after = c.next()
	}
	report(b, b.N*size, begin)
}

// cpu returns the processor time that the process has used. On a machine that
// is shared it says more than the clock.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// report adds figures of a loop over events that began with the processor time
// start.
func report(b *testing.B, events int, start time.Duration) {
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((cpu()-start).Nanoseconds())/float64(events), "cpu-ns/event")
}

// BenchmarkReplay replays events of 2 KB, about 20 series, one a group, with and
// without decoding and applying them.
func BenchmarkReplay(b *testing.B) {
	for _, groups := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) { benchReplay(b, groups) })
	}
}

func benchReplay(b *testing.B, count int) {
	bus := quietBus(b, Config{Server: embed.Config{DataDir: b.TempDir(), Sync: embed.SyncInterval}, PublishTimeout: time.Minute})
	ctx := context.Background()
	for i := 0; i < count; i += maxChunk {
		events := make([]store.Event, min(maxChunk, count-i))
		for j := range events {
			events[j] = eventOf(i+j, 2000)
		}
		if _, err := bus.Append(ctx, uint64(i), events); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("raw", func(b *testing.B) {
		start := cpu()
		for range b.N {
			f, err := bus.openSubscription(ctx, 0)
			if err != nil {
				b.Fatal(err)
			}
			f.raw = true
			for got := 0; got < count; {
				<-f.news
				taken := f.take(nil)
				if taken.err != nil {
					b.Fatal(taken.err)
				}
				got += len(taken.items)
			}
			bus.closeSubscription(f)
		}
		report(b, b.N*count, start)
	})
	b.Run("apply", func(b *testing.B) {
		start := cpu()
		for range b.N {
			st := store.New(store.Settings{})
			f := &follower{Bus: bus, store: st}
			r, err := f.startReplay(ctx)
			if err != nil {
				b.Fatal(err)
			}
			if err := r.run(ctx); err != nil {
				b.Fatal(err)
			}
			if st.Groups() != count {
				b.Fatal(st.Groups())
			}
			bus.closeSubscription(r.subscription)
		}
		report(b, b.N*count, start)
	})
}
