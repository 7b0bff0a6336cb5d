package decode

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"sluice/store"
)

func TestScanNumber(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		n, ok := scanNumber([]byte(text))
		if got := string(n.append(nil)); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v, want %q", text, got, ok, want)
		}
	}
	// as they are
	for _, text := range []string{
		"0", "1", "-1", "42", "999999", "0.5", "-0.25", "0.0001", "123.456", "999999.999", "0.001234", "0.12345678901234",
		"NaN", "+Inf", "-Inf", "1e+06", "5e-324", "1e-05", "1.7976931348623157e+308",
	} {
		f(text, text)
	}
	f("007", "7")
	f("00.5", "0.5")
	f(".5", "0.5")
	f("5.", "5")
	f("1.50", "1.5")
	f("1.0", "1")
	f("0.0", "0")
	f("+5", "5")
	f("1000000", "1e+06")
	f("1234567", "1.234567e+06")
	f("-1234567.5", "-1.2345675e+06")
	f("123456789012345", "1.23456789012345e+14")
	f("9007199254740993", "9.007199254740992e+15")
	f("0.00001", "1e-05")
	f("0.1234567890123456789", "0.12345678901234568")
	f("1e3", "1000")
	f("inf", "+Inf")
	f("-infinity", "-Inf")
	f("nan", "NaN")
	f("1e-400", "0")
	// not sure, or wrong
	for _, text := range []string{
		"", "-", ".", "+", "-.", "-0", "-0.0", "-1e-400", "1e400", "1_000", "0x10", "0x1p-2", "1,5", "1 ", " 1", "1.2.3", "--1", "1e", "-NaN", "one",
	} {
		f(text, "")
	}
}

// TestScanNumberAsExpfmt holds numbers of all shapes against expfmt.
func TestScanNumberAsExpfmt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var text string
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			text = rapid.StringMatching(`[+-]?[0-9]{0,18}(\.[0-9]{0,17})?([eE][+-]?[0-9]{1,3})?`).Draw(t, "text")
		case 1:
			text = rapid.StringMatching(`-?(0|[1-9][0-9]{0,8})(\.[0-9]{0,10}[1-9])?`).Draw(t, "text")
		case 2:
			text = strconv.FormatFloat(rapid.Float64().Draw(t, "value"), 'g', -1, 64)
		default:
			text = strconv.FormatFloat(rapid.Float64().Draw(t, "value"), 'f', rapid.IntRange(0, 6).Draw(t, "digits"), 64)
		}
		n, ok := scanNumber([]byte(text))
		if !ok {
			return
		}
		if strings.ContainsAny(text, "pP_") {
			t.Fatalf("%q was taken", text)
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil || value != n.value && !math.IsNaN(value) || math.Signbit(value) != math.Signbit(n.value) {
			t.Fatalf("%q: %v, want %v, %v", text, n.value, value, err)
		}
		if got, want := string(n.append(nil)), expfmtFloat(value); got != want {
			t.Fatalf("%q: %q, want %q", text, got, want)
		}
	})
}

// expfmtFloat is what expfmt writes.
func expfmtFloat(f float64) string {
	var b bytes.Buffer
	mf := family("a", dto.MetricType_UNTYPED, &dto.Metric{Untyped: &dto.Untyped{Value: proto.Float64(f)}})
	if _, err := expfmt.MetricFamilyToText(&b, mf); err != nil {
		panic(fmt.Sprint("expfmt: ", err))
	}
	return strings.TrimSuffix(strings.TrimPrefix(b.String(), "# TYPE a untyped\na "), "\n")
}

func TestAppendFloatAsExpfmt(t *testing.T) {
	for _, f := range []float64{0, math.Copysign(0, -1), 1, -1, math.NaN(), infinity, -infinity, 1e6, 1e21, 1e-5, 0.1, math.MaxFloat64} {
		if got := string(store.AppendNumber(nil, f)); got != expfmtFloat(f) {
			t.Errorf("%v: %q, want %q", f, got, expfmtFloat(f))
		}
	}
}
