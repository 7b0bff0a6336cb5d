package ingest

import (
	"strings"
	"testing"

	"sluice/ingest/decode"
)

func TestPathKey(t *testing.T) {
	legacy, utf8 := newKeyReader(false, decode.Limits{}), newKeyReader(true, decode.Limits{})
	f := func(r keyReader, job string, jobBase64 bool, labels, want string) {
		t.Helper()
		k, err := r.path(job, jobBase64, labels)
		if err != nil {
			t.Errorf("%s%s: %v", job, labels, err)
			return
		}
		if k.Path() != want {
			t.Errorf("%s%s: got %s, want %s", job, labels, k.Path(), want)
		}
	}
	f(legacy, "x", false, "", "/job/x")
	f(legacy, "x", false, "/", "/job/x")
	f(legacy, "x", false, "/a/1/b/2", "/job/x/a/1/b/2")
	f(legacy, "x", false, "/b/2/a/1", "/job/x/a/1/b/2")
	f(legacy, "x", false, "/a/1/a/2", "/job/x/a/2")
	f(legacy, "x", false, "/job/other", "/job/x")
	f(legacy, "x", false, "/a/", "/job/x/a@base64/=")
	f(legacy, "x", false, "/a@base64/=", "/job/x/a@base64/=")
	f(legacy, "x", false, "/a@base64/Mg", "/job/x/a/2")
	f(legacy, "x", false, "/a@base64/Mg==", "/job/x/a/2")
	f(legacy, "YS9i", true, "", "/job@base64/YS9i")
	f(legacy, "x", false, "/label/value with spaces", "/job/x/label@base64/dmFsdWUgd2l0aCBzcGFjZXM")
	f(legacy, "x", false, "/label/value+with+spaces", "/job/x/label/value+with+spaces")
	f(legacy, "x", false, "/U__my_2d_label/v", "/job/x/U__U____my__2d__label/v")
	f(utf8, "x", false, "/U__my_2d_label/v", "/job/x/U__my_2d_label/v")
	f(utf8, "x", false, "/my-label/v", "/job/x/U__my_2d_label/v")
}

func TestPathKeyRefuses(t *testing.T) {
	f := func(job string, jobBase64 bool, labels, want string) {
		t.Helper()
		_, err := newKeyReader(false, decode.Limits{}).path(job, jobBase64, labels)
		refused, ok := err.(*Error)
		if !ok || refused.Status() != 400 || !strings.Contains(refused.Message, want) {
			t.Errorf("%s%s: got %v, want 400 with %q", job, labels, err, want)
		}
	}
	f("x", false, "/a", "odd number of components in label string \"/a\"")
	f("x", false, "/a/1/", "odd number of components")
	f("x", false, "/a", "Write a value with a slash in base64url")
	f("x", false, "/path@base64/Pz8/Pz8=", "standard alphabet of base64")
	f("x", false, "/path@base64/Pz8/Pz8=", "- for + and _ for /")
	f("Pz8", true, "/Pz8=", "standard alphabet of base64")
	f("x", false, "/a/b/path@base64/Pz8/Pz8=/c", "improper label name \"Pz8=\"; the value before it is in the standard alphabet of base64")
	f("x", false, "/../b", "improper label name \"..\"")
	f("x", false, "//1", "improper label name \"\"")
	f("x", false, "/__a/1", "improper label name \"__a\"")
	f("x", false, "/my-label/v", "improper label name \"my-label\"")
	f("=", true, "", "job name is required")
	f("***", true, "", "invalid base64url encoding in job name \"***\"")
	f("x", false, "/path@base64/fn4+fg==", "standard alphabet")
	f("x", false, "/a@base64/__79", "not valid UTF-8")
}

func TestPathKeyRefusesWhatCannotBeScraped(t *testing.T) {
	for _, name := range []string{"a:b", "U__a_3a_b", "U___0_", "U______a", ""} {
		if k, err := newKeyReader(true, decode.Limits{}).path("x", false, "/"+name+"/v"); err == nil {
			t.Errorf("%s: got %s, want an error", name, k)
		}
	}
}
