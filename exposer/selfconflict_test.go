package exposer

import (
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
)

func TestOwnFamiliesYieldToThoseTheyContradict(t *testing.T) {
	f := func(self dto.MetricType, ownName, pushed string, want bool) {
		t.Helper()
		name := strings.Fields(pushed)[0]
		text := "# TYPE " + pushed + "\n"
		switch strings.Fields(pushed)[1] {
		case "summary":
			text += name + `_sum{instance="",job="a"} 1` + "\n" + name + `_count{instance="",job="a"} 1` + "\n"
		case "histogram":
			text += name + `_bucket{instance="",job="a",le="+Inf"} 1` + "\n" + name + `_sum{instance="",job="a"} 1` + "\n" + name + `_count{instance="",job="a"} 1` + "\n"
		default:
			text += name + `{instance="",job="a"} 1` + "\n"
		}
		view := filled(t, map[string]string{"/job/a": text}).View()
		family := &dto.MetricFamily{Name: proto.String(ownName), Type: self.Enum()}
		if got := len(withoutConflicts([]*dto.MetricFamily{family}, view.Families())) == 1; got != want {
			t.Errorf("%s %s beside %s: got %t, want %t", self, ownName, pushed, got, want)
		}
	}
	const gauge, summary, histogram = dto.MetricType_GAUGE, dto.MetricType_SUMMARY, dto.MetricType_HISTOGRAM
	f(gauge, "m", "m gauge", true)
	f(gauge, "m", "m counter", false)
	f(gauge, "m", "m untyped", false)
	f(gauge, "m", "n counter", true)
	f(summary, "m", "m summary", true)
	f(summary, "m", "m_count gauge", false)
	f(summary, "m", "m_sum gauge", false)
	f(summary, "m", "m_bucket gauge", true)
	f(histogram, "m", "m_bucket counter", false)
	f(gauge, "m", "m_count gauge", true)
	f(gauge, "m_count", "m summary", false)
	f(gauge, "m_bucket", "m summary", true)
	f(gauge, "m_bucket", "m histogram", false)
	f(gauge, "m_sum", "m gauge", true)
}
