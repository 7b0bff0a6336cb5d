package event

import (
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"pgregory.net/rapid"

	"sluice/e2e/testkit"
	"sluice/store"
)

func TestTokensAreReadableWhereLabelsArePlain(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		if got := string(appendToken(nil, testkit.MustKey(path))); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	f("/job/backup", "job=backup")
	f("/job/backup/instance/db1", "job=backup,instance=db1")
	f("/job/backup/instance/10.0.0.1:9100", "job=backup,instance=10%2E0%2E0%2E1:9100")
	f("/job/backup/zone/eu/dir@base64/L3Zhci9saWI", "job=backup,dir=/var/lib,zone=eu")
	f("/job@base64/YSxiPWMgZA/instance@base64/=", "job=a%2Cb%3Dc%20d,instance=")
	f("/job/*/a/>", "job=%2A,a=%3E")
	f("/job/"+strings.Repeat("x", 196), "job="+strings.Repeat("x", 196))
	f("/job/"+strings.Repeat("x", 197), "~Hw9E-Q8076HxZEEAict2hEk4rQA__hrM6m1JwuBxHGA")
}

// keys draws keys that are likely to be confused.
func keys() *rapid.Generator[store.Key] {
	text := rapid.OneOf(rapid.StringMatching(`[a-c.,=%~ *>/\x00é-]{0,6}`), rapid.String(), rapid.StringMatching(`[xy.]{60,220}`))
	return rapid.Custom(func(t *rapid.T) store.Key {
		labels := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) store.Label {
			return store.Label{Name: rapid.OneOf(rapid.StringMatching(`[a-c_.,=~é]{1,3}`), rapid.StringN(1, 8, -1)).Draw(t, "name"), Value: text.Draw(t, "value")}
		}), 0, 4).Draw(t, "labels")
		key, err := store.NewKey(text.Filter(func(s string) bool { return s != "" }).Draw(t, "job"), labels...)
		if err != nil {
			t.Skip(err)
		}
		return key
	})
}

func TestEachGroupHasASubjectOfItsOwn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := keys().Draw(t, "a"), keys().Draw(t, "b")
		tokenA, tokenB := string(appendToken(nil, a)), string(appendToken(nil, b))
		if (tokenA == tokenB) != (a.Path() == b.Path()) {
			t.Fatalf("%s has %s, and %s has %s", a, tokenA, b, tokenB)
		}
		if len(tokenA) > maxToken || tokenA == wipeToken || tokenA == importToken {
			t.Fatalf("%s: token %s", a, tokenA)
		}
		if subject := "sluice.log." + tokenA; !server.IsValidPublishSubject(subject) || strings.Count(subject, ".") != 2 ||
			strings.Trim(tokenA, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-:@/%=,~") != "" {
			t.Fatalf("%s: subject %q", a, subject)
		}
		back, err := parseToken(tokenA)
		if tokenA[0] == hashMark {
			if err == nil {
				t.Fatalf("a hash tells %s", back)
			}
		} else if err != nil || back.Path() != a.Path() {
			t.Fatalf("token %s of %s is read as %s, %v", tokenA, a, back, err)
		}
	})
}

func FuzzParseToken(f *testing.F) {
	f.Add("job=backup,instance=db1")
	f.Add("job=%2A,a=%3")
	f.Add("~wipe")
	f.Fuzz(func(t *testing.T, token string) {
		// Whatever is read belongs on a subject of its own, maybe another one.
		if key, err := parseToken(token); err == nil {
			appendToken(nil, key)
		}
	})
}
