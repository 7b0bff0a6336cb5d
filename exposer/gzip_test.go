package exposer

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"sluice/store"
)

func TestCombineCRC(t *testing.T) {
	c := newCRCCombiner()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		a, b := make([]byte, random.IntN(3000)), make([]byte, random.IntN(200_000))
		for _, p := range [][]byte{a, b} {
			for i := range p {
				p[i] = byte(random.Uint32())
			}
		}
		want := crc32.ChecksumIEEE(append(bytes.Clone(a), b...))
		if got := c.combine(crc32.ChecksumIEEE(a), crc32.ChecksumIEEE(b), uint32(len(b))); got != want {
			t.Fatalf("%d and %d bytes: got %08x, want %08x", len(a), len(b), got, want)
		}
	}
}

// Whatever changes between scrapes, a gzip scrape is what a plain one is.
func TestGzipScrapesFollowChanges(t *testing.T) {
	s := store.New(store.Settings{})
	gz := newGzips()
	random := rand.New(rand.NewPCG(3, 4))
	seq := uint64(0)
	change := func() {
		seq++
		i := random.IntN(900)
		key, err := store.ParseKey(fmt.Sprintf("/job/x/instance/%d", i))
		if err != nil {
			t.Fatal(err)
		}
		if random.IntN(10) == 0 {
			s.Apply(seq, store.Event{Op: store.OpDelete, Key: key})
			return
		}
		text := fmt.Sprintf("# TYPE t_a gauge\nt_a{instance=\"%d\",job=\"x\"} %d\n# TYPE t_b gauge\n", i, seq)
		if i < 5 {
			text += fmt.Sprintf("t_b{instance=\"%d\",job=\"x\"} %d\n# TYPE t_c gauge\n", i, seq)
		}
		text += fmt.Sprintf("%s{instance=\"%d\",job=\"x\"} %d\n", map[bool]string{true: "t_c", false: "t_b"}[i < 5], i, seq)
		families, err := store.ParseText([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		s.Apply(seq, store.Event{Op: store.OpPut, Key: key, Families: families})
	}
	kept := 0
	for range 40 {
		for range random.IntN(200) {
			change()
		}
		view := s.View()
		var want, compressed bytes.Buffer
		z := gz.writer(&compressed)
		for _, f := range merge(nil, view.Families()) {
			if err := writeText(&want, &f, 0); err != nil {
				t.Fatal(err)
			}
			if err := writeText(z, &f, 0); err != nil {
				t.Fatal(err)
			}
			for _, c := range f.stored.Chunks() {
				if c.Memo() != nil {
					kept++
				}
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := gzip.NewReader(&compressed)
		if err != nil {
			t.Fatal(err)
		}
		r.Multistream(false)
		got, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("sequence %d: %v", seq, err)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("sequence %d: got %d bytes, want %d", seq, len(got), want.Len())
		}
	}
	if kept == 0 {
		t.Error("nothing was ever kept: the test does not test what it should")
	}
}

func BenchmarkGzipScrape(b *testing.B) {
	for _, groups := range []int{100, 10_000} {
		for _, changed := range []float64{0, 0.01, 1} {
			b.Run(fmt.Sprintf("groups=%d/changed=%v", groups, changed), func(b *testing.B) {
				s, gz := store.New(store.Settings{}), newGzips()
				seq := uint64(0)
				push := func(i int) {
					seq++
					key, err := store.ParseKey(fmt.Sprintf("/job/x/instance/%d", i))
					if err != nil {
						b.Fatal(err)
					}
					var text strings.Builder
					text.WriteString("# TYPE t_a gauge\n")
					for k := range 20 {
						fmt.Fprintf(&text, "t_a{instance=\"%d\",job=\"x\",part=\"%02d\"} %d\n", i, k, seq*7919%10007)
					}
					families, err := store.ParseText([]byte(text.String()))
					if err != nil {
						b.Fatal(err)
					}
					s.Apply(seq, store.Event{Op: store.OpPut, Key: key, Families: families})
				}
				for i := range groups {
					push(i)
				}
				var size countingWriter
				for b.Loop() {
					b.StopTimer()
					for i := range int(float64(groups) * changed) {
						push(i)
					}
					b.StartTimer()
					z := gz.writer(io.Discard)
					for _, f := range merge(nil, s.View().Families()) {
						if err := writeText(z, &f, 0); err != nil {
							b.Fatal(err)
						}
					}
					if err := z.Close(); err != nil {
						b.Fatal(err)
					}
				}
				for _, f := range s.View().Families() {
					for block := range f.Blocks() {
						size += countingWriter(len(block))
					}
				}
				b.SetBytes(int64(size))
			})
		}
	}
}

type countingWriter int
