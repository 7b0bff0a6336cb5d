package decode

import (
	"strings"
	"sync"
	"testing"

	"sluice/e2e/testkit"
	"sluice/ingest/decode/seeds"
	"sluice/store"
)

// TestFastPathTakes says which bodies do not need the slow path. Pushes as
// client libraries write them must not.
func TestFastPathTakes(t *testing.T) {
	f := func(body string, want bool) {
		t.Helper()
		if _, got := scanText([]byte(body), testkit.NewKey("j"), Limits{}); got != want {
			t.Errorf("%q: %v, want %v", body, got, want)
		}
	}

	f("", true)
	f(string(benchBody()), true)
	f(string(bigBody(100)), true)
	f("# HELP a text\n# TYPE a counter\na 1\n", true)
	f("# TYPE a counter\n# HELP a \\\\ \\n\na 1\n", true)
	f("# HELP a \n# TYPE a gauge\na 1\n# EOF\n", true)
	f("a{x=\"1\"} 1\na{x=\"0\"} 1\n\nb 2\n", true)
	f("a{ x = \"1\", y=\"2\", }\t1\n", true) // as the Java client does
	f("a{le=\"x\",quantile=\"y\"} 1\n", true)
	f("a{job=\"x\",instance=\"y\"} 1\n", true)
	histogram := "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum 3\n"
	f(histogram, true)
	f("# TYPE h histogram\nh_bucket{le=\"1\",x=\"1\"} 1\nh_bucket{le=\"+Inf\",x=\"1\"} 2\nh_count{x=\"1\"} 2\nh_sum{x=\"1\"} 3\n", true)
	f("# TYPE s summary\ns_sum 1\ns_count 1\n", true)
	f("# TYPE s summary\ns{quantile=\"0.5\"} NaN\ns_sum 1\ns_count 1\ns{x=\"1\",quantile=\"0.5\"} NaN\ns_sum{x=\"1\"} 1\ns_count{x=\"1\"} 1\n", true)

	f("a 1", false)
	f("a 1\r\n", false)
	f("a 1 1000\n", false)
	f("a{x=\"\xff\"} 1\n", false)
	f("a 1\nb 1\na{x=\"1\"} 1\n", false)
	f("a{x=\"1\"} 1\na{x=\"1\"} 1\n", false)
	f("a{x=\"1\",x=\"2\"} 1\n", false)
	f("a 1\n# TYPE a gauge\n", false)
	f("# TYPE a gauge\n# TYPE a gauge\n", false)
	f("# HELP a \\\"\na 1\n", false)
	f("{\"a\"} 1\n", false)
	f("a{\"b\"=\"1\"} 1\n", false)
	f("a{__b=\"1\"} 1\n", false)
	f("a -0\n", false)
	f("# TYPE h gaugehistogram\n", false)
	f("# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_count 1\nh_sum 1\n", false) // no +Inf
	f("# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1.5\nh_count 1\nh_sum 1\n", false)
	f(histogram+"g 1\nh_sum{x=\"1\"} 1\n", false)
	f("h_sum 1\n"+histogram, false)
	f("a{"+strings.Repeat("b,", 10)+"} 1\n", false)
}

func TestFastPathOfOddKeys(t *testing.T) {
	for i, key := range fuzzKeys {
		_, got := scanText([]byte("a 1\n"), key, Limits{})
		if want := i < 4 || key.IsZero(); got != want {
			t.Errorf("%v: %v, want %v", key, got, want)
		}
	}
}

// TestFamiliesConcurrently shares the scratch memory between pushes of all
// kinds.
func TestFamiliesConcurrently(t *testing.T) {
	want := map[string][]store.Family{}
	for _, seed := range seeds.MoreText {
		if families, err := Families([]byte(seed), "", benchKey, Options{}); err == nil {
			want[seed] = families
		}
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 20 {
				for seed, families := range want {
					body := []byte(seed)
					got, err := Families(body, "", benchKey, Options{})
					clear(body)
					if diff := differs(got, families); err != nil || diff != "" {
						t.Errorf("%q: %v\n%s", seed, err, diff)
						return
					}
				}
			}
		})
	}
	group.Wait()
}
