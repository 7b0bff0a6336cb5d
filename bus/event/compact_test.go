package event

import (
	"reflect"
	"strings"
	"testing"

	"sluice/e2e/testkit"
)

// An event that this gateway has sent itself is not decoded: it must be the same
// as if it were.
func TestCompactIsWhatDecodingMakes(t *testing.T) {
	c := NewCodec("sluice")
	events := testkit.Events(t)
	odd := testkit.Put("/job/odd", 1)
	odd.Origin, odd.Refusal = strings.Repeat("ü\n", maxOrigin), strings.Repeat("ü", maxRefusal)
	events["odd texts"] = odd
	for name, e := range events {
		m, err := c.Encode(e)
		if err != nil {
			t.Fatal(name, err)
		}
		want, ok, err := c.Decode(m)
		if err != nil || !ok {
			t.Fatal(name, ok, err)
		}
		if got := Compact(e); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", name, got, want)
		}
	}
}
