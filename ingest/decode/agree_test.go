package decode

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawBody draws a body line by line. Its few names, labels and values meet each
// other in all the ways that matter; most bodies are almost well-formed.
func drawBody(t *rapid.T) string {
	name := rapid.SampledFrom([]string{"h", "h_sum", "h_count", "h_bucket", "s", "s_sum", "s_count", "g", "a", "b", "z:x"})
	label := rapid.SampledFrom([]string{
		`x="1"`, `x="2"`, `y="1"`, `y="\\\"\n"`, `instance=""`, `instance="i"`, `job="j"`, `job="k"`, `a="ü"`,
		`le="1"`, `le="2.50"`, `le="+Inf"`, `quantile="0.5"`, `quantile="0.9"`, `__a="1"`, `"x"="1"`, `"a:b"="1"`, `x="\t"`,
	})
	value := rapid.SampledFrom([]string{
		"1", "2", "0", "1.5", "2.0", "1e+06", "1234567", "NaN", "-1", "+Inf", "-0", "007", "1_0", "0.00001", "9007199254740993", "1 5", "x",
	})
	// The lines of whole metrics, as a client library would write them, or with
	// one line of another metric.
	set := rapid.SampledFrom([]string{"", `x="1",`, `x="2",`, `y="1",`, `job="k",`, `y="1",x="1",`, `x="1",y="1",`})
	whole := rapid.Custom(func(t *rapid.T) string {
		labels := set.Draw(t, "labels")
		lines := []string{"h_bucket{*le=\"1\"} 1", "h_bucket{*le=\"+Inf\"} 2", "h_sum{*} 3", "h_count{*} 2"}
		if rapid.Bool().Draw(t, "summary") {
			lines = []string{"s{*quantile=\"0.5\"} 1", "s{*quantile=\"0.9\"} 2", "s_sum{*} 3", "s_count{*} 2"}
		}
		if rapid.IntRange(0, 4).Draw(t, "mix") == 0 {
			i := rapid.IntRange(0, len(lines)-1).Draw(t, "line")
			lines[i] = strings.Replace(lines[i], "*", set.Draw(t, "other"), 1)
		}
		for i := range lines {
			lines[i] = strings.Replace(lines[i], "*", labels, 1)
		}
		if rapid.IntRange(0, 4).Draw(t, "shuffle") == 0 {
			lines = rapid.Permutation(lines).Draw(t, "order")
		}
		if rapid.IntRange(0, 9).Draw(t, "lose") == 0 {
			lines = lines[1:]
		}
		return strings.Join(lines, "\n")
	})
	line := rapid.Custom(func(t *rapid.T) string {
		switch n := rapid.IntRange(0, 9).Draw(t, "kind"); {
		case n < 4:
			return whole.Draw(t, "whole")
		case n == 4:
			return "# HELP " + name.Draw(t, "name") + " " + rapid.SampledFrom([]string{"", "text", `\\ \n`, `\"`, " x"}).Draw(t, "help")
		case n == 5:
			typ := rapid.SampledFrom([]string{"gauge", "counter", "untyped", "summary", "histogram", "GAUGE", "gaugehistogram", ""})
			return "# TYPE " + name.Draw(t, "name") + " " + typ.Draw(t, "type")
		default:
			labels := rapid.SliceOfN(label, 0, 3).Draw(t, "labels")
			return name.Draw(t, "name") + "{" + strings.Join(labels, ",") + "} " + value.Draw(t, "value")
		}
	})
	head := rapid.SampledFrom([]string{"", "# TYPE h histogram\n", "# TYPE s summary\n", "# TYPE g gauge\n"}).Draw(t, "head")
	return head + strings.Join(rapid.SliceOfN(line, 0, 6).Draw(t, "lines"), "\n") + "\n"
}

// TestFastPathAgreesOnLines is FuzzFastPathAgrees with bodies that are nearer to
// being good than those that a fuzzer finds.
func TestFastPathAgreesOnLines(t *testing.T) {
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		body := []byte(drawBody(t))
		key := fuzzKey(rapid.Uint8Range(0, 3).Draw(t, "key"))
		fast, ok := scanText(body, key, Limits{})
		if !ok {
			return
		}
		taken++
		slow, err := slowly(body, key, Options{Scheme: fuzzScheme(rapid.Bool().Draw(t, "utf8"))})
		if err != nil {
			t.Fatalf("the slow path refuses %q: %v", body, err)
		}
		if diff := differs(fast, slow); diff != "" {
			t.Fatalf("%q\n%s", body, diff)
		}
	})
	if taken == 0 {
		t.Error("the fast path took no body at all")
	}
	t.Logf("the fast path took %d bodies", taken)
}
