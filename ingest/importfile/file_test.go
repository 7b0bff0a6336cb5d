package importfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"

	"sluice/store"
)

// fixtures are files that real Pushgateways have written, each with the lines of
// its last scrape.
var fixtures = []string{"pushgateway-1.5.1", "pushgateway-1.11.3"}

func fixture(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".data"))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func TestFilesOfPushgatewayGiveTheSameScrape(t *testing.T) {
	for _, name := range fixtures {
		l, err := loadBytes(t, fixture(t, name), store.Settings{})
		if err != nil {
			t.Fatal(name, err)
		}
		scrape, err := os.ReadFile(filepath.Join("testdata", name+".metrics"))
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Split(strings.TrimSpace(string(scrape)), "\n")
		slices.Sort(want)
		if got := l.lines(); !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for _, e := range l.events {
			job, _ := e.Key.Get("job")
			switch {
			case job == "never" != (e.PushTime == 0):
				t.Errorf("%s: group %s was pushed at %d", name, e.Key, e.PushTime)
			case job == "never" != (e.Op == store.OpFail):
				t.Errorf("%s: group %s has an event %s", name, e.Key, e.Op)
			case job == "older" != slices.ContainsFunc(e.Families, func(f store.Family) bool { return f.PushTime != 0 }):
				t.Errorf("%s: group %s has families %+v", name, e.Key, e.Families)
			}
		}
	}
}

// Native histograms have no place in text, so they are not in the scrapes above.
func TestNativeHistogramsAreKept(t *testing.T) {
	l, err := loadBytes(t, fixture(t, "pushgateway-1.11.3"), store.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, e := range l.events {
		for _, f := range e.Families {
			if f.Name != "proto_native" && f.Name != "proto_float" {
				continue
			}
			found++
			mf := &dto.MetricFamily{}
			if err := proto.Unmarshal(f.Proto, mf); err != nil {
				t.Fatal(err)
			}
			h := mf.GetMetric()[0].GetHistogram()
			if h.Schema == nil || len(h.PositiveDelta)+len(h.NegativeCount) == 0 {
				t.Errorf("%s is %v", f.Name, h)
			}
		}
	}
	if found != 2 {
		t.Errorf("%d native histograms, want 2", found)
	}
}

// read reads a file of these bytes without judging it.
func read(data []byte, size int64) error {
	return readFile(bytes.NewReader(data), size, func(fileGroup) error { return nil })
}

func TestIncompleteFilesAreRefused(t *testing.T) {
	small := pushedGroups{}.add(t, map[string]string{"job": "a"}, `name: "m" type: GAUGE metric { gauge { value: 1 } }`).file(t)
	for _, data := range [][]byte{small, fixture(t, "pushgateway-1.5.1"), fixture(t, "pushgateway-1.11.3"), pushedGroups{}.file(t)} {
		if err := read(data, int64(len(data))); err != nil {
			t.Fatal(err)
		}
		stride := 1 + len(data)/400 // all lengths of the small ones
		for n := 0; n < len(data); n += stride {
			if read(data[:n], int64(n)) == nil {
				t.Errorf("%d of %d bytes were accepted", n, len(data))
			}
			if read(data[:n], int64(len(data))) == nil { // it was cut while it was read
				t.Errorf("%d of %d bytes were accepted as %d", n, len(data), len(data))
			}
		}
		for _, more := range []string{"\x00", "x", string(data)} {
			longer := append(slices.Clone(data), more...)
			if read(longer, int64(len(longer))) == nil {
				t.Errorf("%d bytes more were accepted", len(more))
			}
		}
	}
}

// Each byte of a small file is damaged in turn: that is seen, or it is a byte of
// what somebody has pushed. Nothing panics.
func TestDamagedFiles(t *testing.T) {
	data := pushedGroups{}.add(t, map[string]string{"job": "a", "instance": "b"}, gaugeM).file(t)
	seen := 0
	for i := range data {
		for _, flip := range []byte{0x01, 0x02, 0x10, 0x80, 0xff} {
			data[i] ^= flip
			err := readFile(bytes.NewReader(data), int64(len(data)), func(g fileGroup) error {
				_, err := event(g, optionsFor(store.Settings{}), "")
				return err
			})
			data[i] ^= flip
			if err != nil {
				seen++
				if strings.Contains(err.Error(), "\n") {
					t.Errorf("byte %d: more than one line: %v", i, err)
				}
			}
		}
	}
	if seen < len(data) {
		t.Errorf("%d of %d damages were seen", seen, 5*len(data))
	}
}

func TestFilesOfSomethingElseAreRefused(t *testing.T) {
	f := func(name string, data []byte, want string) {
		t.Helper()
		_, err := loadBytes(t, data, store.Settings{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
	type family struct {
		Timestamp time.Time
		Text      string
	}
	f("empty", nil, "it is empty")
	f("text", []byte("# TYPE a gauge\na 1\n"), "damaged")
	f("zeros", make([]byte, 4096), "")
	f("a number", encodeGob(t, 5), "not a persistence file")
	f("a struct", encodeGob(t, pushedGroup{Labels: map[string]string{"a": "b"}}), "not a persistence file")
	f("another map", encodeGob(t, map[string]string{"a": "b"}), "not a persistence file")
	f("a slice", encodeGob(t, []pushedGroup{{}}), "not a persistence file")
	f("keys of another type", encodeGob(t, map[int]pushedGroup{1: {}}), "not a persistence file")
	f("before 0.10", encodeGob(t, map[uint64]pushedGroup{1: {}}), "before 0.10")
	f("another family", encodeGob(t, map[string]struct {
		Labels  map[string]string
		Metrics map[string]family
	}{"a": {}}), "Text")
	f("another group", encodeGob(t, map[string]struct {
		Labels map[string]string
		Other  int
	}{"a": {}}), "Other")
	f("without families", encodeGob(t, map[string]struct{ Labels map[string]string }{"a": {}}), "not a persistence file")
}

func TestPathsThatAreNoFiles(t *testing.T) {
	dir := t.TempDir()
	if err := readPath(dir, nil); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("a directory: %v", err)
	}
	if err := readPath("/dev/null", nil); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("a device: %v", err)
	}
	if err := readPath(filepath.Join(dir, "missing"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if err := readPath(filepath.Join(write(t, nil), "below"), nil); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("below a file: %v", err)
	}
}

// encoding/gob would make maps and slices of any length that a file claims.
func TestClaimedLengthsTakeNoMemory(t *testing.T) {
	data := pushedGroups{}.file(t)
	// The last byte is the number of groups, and the message with it has 4 bytes.
	for _, count := range [][]byte{{0xfc, 0xff, 0xff, 0xff, 0xff}, {0xf8, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}} {
		bomb := slices.Clone(data[:len(data)-1])
		bomb[len(data)-5] += byte(len(count) - 1)
		bomb = append(bomb, count...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := read(bomb, int64(len(bomb)))
		runtime.ReadMemStats(&after)
		if !errors.Is(err, errDamaged) {
			t.Errorf("got %v", err)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
			t.Errorf("%d bytes were allocated for %d", grown, len(bomb))
		}
	}
}

// What is read without an error must be as it is read by encoding/gob, and
// nothing may panic or take memory that the input does not have.
func FuzzReadFile(f *testing.F) {
	f.Add(pushedGroups{}.file(f))
	f.Add(pushedGroups{}.add(f, map[string]string{"job": "a"}, `name: "m" type: GAUGE metric { gauge { value: 1 } }`).file(f))
	for _, name := range fixtures {
		f.Add(fixture(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l := &loaded{}
		err := readFile(bytes.NewReader(data), int64(len(data)), func(g fileGroup) error {
			e, err := event(g, optionsFor(store.Settings{}), "")
			if err == nil {
				l.events = append(l.events, e)
			}
			return nil
		})
		if err != nil {
			return
		}
		bad := &problems{}
		if err := l.judge(store.Settings{}, anySize, bad); err != nil {
			t.Fatal(err)
		}
		l.lines() // the store takes it
	})
}
