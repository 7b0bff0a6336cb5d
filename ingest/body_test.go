package ingest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

func gzipped(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func snapped(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := snappy.NewBufferedWriter(&b)
	if _, err := z.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestReadBody(t *testing.T) {
	b := newBodies(100, 0)
	f := func(body []byte, encoding, want string) {
		t.Helper()
		in, err := b.read(bytes.NewReader(body), encoding, int64(len(body)), patience)
		if err != nil {
			t.Errorf("%s: %v", encoding, err)
			return
		}
		defer in.free()
		if got := string(in.bytes()); got != want {
			t.Errorf("%s: got %q, want %q", encoding, got, want)
		}
	}
	f([]byte("a 1\n"), "", "a 1\n")
	f(nil, "", "")
	f(bytes.Repeat([]byte("x"), 100), "", strings.Repeat("x", 100))
	f(gzipped(t, []byte("a 1\n")), "gzip", "a 1\n")
	f(gzipped(t, []byte("a 1\n")), "GZIP", "a 1\n")
	f(append(gzipped(t, []byte("a 1\n")), gzipped(t, []byte("b 2\n"))...), "gzip", "a 1\nb 2\n")
	f(snapped(t, []byte("a 1\n")), "snappy", "a 1\n")
	f(nil, "snappy", "")
	f([]byte("a 1\n"), "gzip, snappy", "a 1\n") // unknown to Pushgateway, so read as it is
	f([]byte("a 1\n"), "br", "a 1\n")
	f(zstded(t, []byte("a 1\n")), "zstd", "a 1\n")
	f(zstded(t, []byte("a 1\n")), "ZSTD", "a 1\n")
	f(append(zstded(t, []byte("a 1\n")), zstded(t, []byte("b 2\n"))...), "zstd", "a 1\nb 2\n")
	f(append([]byte("\x50\x2a\x4d\x18\x01\x00\x00\x00x"), zstded(t, []byte("a 1\n"))...), "zstd", "a 1\n") // a skippable frame
	f([]byte("a 1\n"), "zstd", "a 1\n")                                                                    // Pushgateway does not know zstd
	f([]byte("a"), "zstd", "a")
	f(nil, "zstd", "")
}

func TestReadBodyRefuses(t *testing.T) {
	b := newBodies(100, 0)
	f := func(body io.Reader, encoding string, status int, want string) {
		t.Helper()
		_, err := b.read(body, encoding, -1, patience)
		var refused *Error
		if !errors.As(err, &refused) || refused.Status() != status || !strings.Contains(refused.Message, want) {
			t.Errorf("%s: got %v, want %d with %q", encoding, err, status, want)
		}
	}
	f(strings.NewReader(strings.Repeat("x", 101)), "", 413, "100 bytes")
	f(bytes.NewReader(gzipped(t, make([]byte, 10_000_000))), "gzip", 413, "--push.max-bytes")
	f(bytes.NewReader(gzipped(t, bytes.Repeat([]byte("x"), 101))), "gzip", 413, "--push.max-bytes")
	f(bytes.NewReader(snapped(t, make([]byte, 10_000))), "snappy", 413, "--push.max-bytes")
	f(strings.NewReader("a 1\n"), "gzip", 400, "cannot read the body")
	f(strings.NewReader(""), "gzip", 400, "EOF")
	f(bytes.NewReader(gzipped(t, []byte("a 1\n"))[:20]), "gzip", 400, "unexpected EOF")
	f(bytes.NewReader(append(gzipped(t, []byte("a 1\n")), "garbage"...)), "gzip", 400, "cannot read the body")
	f(strings.NewReader("not snappy"), "snappy", 400, "cannot read the body")
	f(io.MultiReader(strings.NewReader("a"), failingReader{}), "", 400, "connection reset")
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func zstded(tb testing.TB, data []byte) []byte {
	tb.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return z.EncodeAll(data, nil)
}
