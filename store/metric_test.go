package store

import (
	"bytes"
	"testing"
)

func TestFirst(t *testing.T) {
	const gauge = "# TYPE a gauge\na{instance=\"\",job=\"x\",n=\"1\"} 1\na{instance=\"\",job=\"x\",n=\"2\"} 2\na{instance=\"\",job=\"x\",n=\"3\"} 3\n"
	const histogram = "# TYPE b histogram\nb_bucket{instance=\"\",job=\"x\",n=\"1\",le=\"1\"} 1\nb_bucket{instance=\"\",job=\"x\",n=\"1\",le=\"+Inf\"} 1\nb_sum{instance=\"\",job=\"x\",n=\"1\"} 1\nb_count{instance=\"\",job=\"x\",n=\"1\"} 1\n" +
		"b_bucket{instance=\"\",job=\"x\",n=\"2\",le=\"+Inf\"} 1\nb_sum{instance=\"\",job=\"x\",n=\"2\"} 1\nb_count{instance=\"\",job=\"x\",n=\"2\"} 1\n"
	for _, c := range []struct {
		text           string
		n, lines, have int
	}{
		{gauge, 0, 0, 3}, {gauge, 1, 1, 3}, {gauge, 3, 3, 3}, {gauge, 9, 3, 3},
		{histogram, 0, 0, 2}, {histogram, 1, 4, 2}, {histogram, 2, 7, 2},
	} {
		f, have := texts(t, c.text)[0].First(c.n)
		if lines := bytes.Count(f.Samples(), []byte{'\n'}); lines != c.lines || have != c.have {
			t.Errorf("the first %d: got %d lines of %d metrics, want %d of %d", c.n, lines, have, c.lines, c.have)
		}
	}
	f := texts(t, gauge)[0]
	f.Proto = []byte{1}
	if first, have := f.First(1); have != 3 || len(first.Text) != len(f.Text) {
		t.Errorf("with a message: got %d metrics, and %q", have, first.Text)
	}
}
