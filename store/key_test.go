package store

import (
	"testing"

	"pgregory.net/rapid"
)

func mustKey(tb rapid.TB, path string) Key {
	tb.Helper()
	k, err := ParseKey(path)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func TestParseKey(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		k, err := ParseKey(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		if k.Path() != want {
			t.Errorf("%s: got %s, want %s", path, k.Path(), want)
		}
	}
	f("/job/backup", "/job/backup")
	f("/job/backup/instance/db1", "/job/backup/instance/db1")
	f("/job/x/b/2/a/1", "/job/x/a/1/b/2")
	f("/a/1/job/x", "/job/x/a/1")
	f("/job/x/a/1/a/2", "/job/x/a/2")
	f("/job@base64/YmFja3Vw", "/job/backup")
	f("/job@base64/YS9i", "/job@base64/YS9i")
	f("/job/x/a@base64/=", "/job/x/a@base64/=")
	f("/job/x/a@base64/", "/job/x/a@base64/=")
	f("/job/x/instance/10.0.0.1:9100", "/job/x/instance/10.0.0.1:9100")
	f("/job/x/U__my_2d_label/v", "/job/x/U__my_2d_label/v")
	f("/job/x/a@base64/Lg", "/job/x/a@base64/Lg")
}

func TestParseKeyRefuses(t *testing.T) {
	for _, path := range []string{"", "/", "/job", "job/x", "/job/x/a", "/a/b", "/job@base64/=", "/job/", "/job@base64/*", "/job/x/a@base64/__79"} {
		if k, err := ParseKey(path); err == nil {
			t.Errorf("%q: got %s, want an error", path, k)
		}
	}
}

// A path identifies a key and leads back to it, whatever the labels hold.
func TestKeyPathIsInjective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		label := rapid.Custom(func(t *rapid.T) Label {
			return Label{
				Name:  rapid.SampledFrom([]string{"a", "b", "instance", "U__x", "U__my_2d_label", "my-label", "my.label", "ü"}).Draw(t, "name"),
				Value: rapid.OneOf(rapid.StringMatching(`[a-c/.%@=]{0,3}`), rapid.String()).Draw(t, "value"),
			}
		})
		draw := func() Key {
			k, err := NewKey(rapid.StringMatching(`.{1,3}`).Draw(t, "job"), rapid.SliceOfN(label, 0, 3).Draw(t, "labels")...)
			if err != nil {
				t.Fatal(err)
			}
			return k
		}
		k, other := draw(), draw()
		back, err := ParseKey(k.Path())
		if err != nil {
			t.Fatalf("%q: %v", k.Path(), err)
		}
		if back.Path() != k.Path() || !sameLabels(back, k) {
			t.Fatalf("%q leads to %v, want %v", k.Path(), back.Labels(), k.Labels())
		}
		if (k.Path() == other.Path()) != sameLabels(k, other) {
			t.Fatalf("%v and %v have the paths %q and %q", k.Labels(), other.Labels(), k.Path(), other.Path())
		}
	})
}

func sameLabels(a, b Key) bool {
	if len(a.labels) != len(b.labels) {
		return false
	}
	for i := range a.labels {
		if a.labels[i] != b.labels[i] {
			return false
		}
	}
	return true
}
