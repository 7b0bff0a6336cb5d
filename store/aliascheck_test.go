package store

import (
	"fmt"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
)

// aliasPush is a push of families without the labels of their group, which the
// sign @ stands for.
type aliasPush struct{ path, text string }

func (p aliasPush) push(tb testing.TB) Push {
	key := mustKey(tb, p.path)
	return Push{Key: key, Families: texts(tb, strings.ReplaceAll(p.text, "@", string(appendLabels(nil, key)))), Time: 1e9}
}

// Names that become the same when a scraper has them escaped are refused, and
// named, whether what is in the way is stored or only accepted by the same draft.
func TestNamesThatBecomeTheSame(t *testing.T) {
	f := func(want string, pushes ...aliasPush) {
		t.Helper()
		for _, together := range []bool{false, true} {
			s := newTestStore(t, Settings{Reserved: map[string]dto.MetricType{"own_seconds": dto.MetricType_SUMMARY}})
			draft := s.Draft()
			var got error
			for i, p := range pushes {
				if !together {
					draft = s.Draft()
				}
				e, err := draft.Put(p.push(t))
				if got = err; err != nil && i < len(pushes)-1 {
					t.Fatalf("push %d: %v", i, err)
				}
				if err == nil && !together {
					s.Apply(s.Sequence()+1, e)
				}
			}
			text := ""
			if got != nil {
				text, _, _ = strings.Cut(got.Error(), "\n")
			}
			if text != want {
				t.Errorf("in one draft %v, %v: got %q, want %q", together, pushes, text, want)
			}
		}
	}
	gauge := func(name, more string) string {
		if strings.HasPrefix(name, `"`) {
			return fmt.Sprintf("# TYPE %s gauge\n{%s,@%s} 1\n", name, name, more)
		}
		return fmt.Sprintf("# TYPE %s gauge\n%s{@%s} 1\n", name, name, more)
	}
	histogram := "# TYPE \"a.b\" histogram\n{\"a.b_bucket\",@,le=\"+Inf\"} 1\n{\"a.b_sum\",@} 1\n{\"a.b_count\",@} 1\n"
	const when = " when names are escaped (escaping=underscores)"

	// Families.
	f("", aliasPush{"/job/x", gauge("a_b", "")}, aliasPush{"/job/y", gauge(`"a.c"`, "")})
	f(`gauge "a.b" and gauge a_b in group /job/x both become a_b`+when, aliasPush{"/job/x", gauge("a_b", "")}, aliasPush{"/job/y", gauge(`"a.b"`, "")})
	f(`gauge a_b and gauge "a.b" in group /job/x both become a_b`+when, aliasPush{"/job/x", gauge(`"a.b"`, "")}, aliasPush{"/job/y", gauge("a_b", "")})
	f(`gauge a_dot_b and gauge "a.b" in group /job/x both become a_dot_b when names are escaped (escaping=dots)`, aliasPush{"/job/x", gauge(`"a.b"`, "")}, aliasPush{"/job/y", gauge("a_dot_b", "")})
	f(`gauge U__a_2e_b and gauge "a.b" in group /job/x both become U__a_2e_b when names are escaped (escaping=values)`, aliasPush{"/job/x", gauge(`"a.b"`, "")}, aliasPush{"/job/y", gauge("U__a_2e_b", "")})
	f(`2 conflicts: gauge "a-b" and gauge "a.b" in this push both become a_b`+when+`; gauge "a.b" and gauge "a-b" in this push both become a_b`+when, aliasPush{"/job/x", gauge(`"a-b"`, "") + gauge(`"a.b"`, "")})
	f(`gauge "a.b.count" and histogram "a.b" in group /job/x both become a_b_count`+when, aliasPush{"/job/x", histogram}, aliasPush{"/job/y", gauge(`"a.b.count"`, "")})
	f(`histogram "a.b" and gauge a_b_sum in group /job/x both become a_b_sum`+when, aliasPush{"/job/x", gauge("a_b_sum", "")}, aliasPush{"/job/y", histogram})
	f(`gauge "push.time.seconds" and gauge push_time_seconds in the gateway itself both become push_time_seconds`+when, aliasPush{"/job/x", gauge(`"push.time.seconds"`, "")})
	f(`gauge "own.seconds.sum" and summary own_seconds in the gateway itself both become own_seconds_sum`+when, aliasPush{"/job/x", gauge(`"own.seconds.sum"`, "")})
	// A group that is replaced is in nobody's way.
	f("", aliasPush{"/job/x", gauge("a_b", "")}, aliasPush{"/job/x", gauge(`"a.b"`, "")})

	// Labels of one series.
	f(`labels "a-b" and "a.b" of m both become a_b`+when, aliasPush{"/job/x", "# TYPE m gauge\nm{\"a-b\"=\"1\",\"a.b\"=\"1\",@} 1\n"})
	f(`labels "a.b" and a_b of m both become a_b`+when, aliasPush{"/job/x/U__a_2e_b/1", "# TYPE m gauge\nm{\"a.b\"=\"1\",a_b=\"1\",instance=\"\",job=\"x\"} 1\n"})
	f(`label "..name.." of m becomes __name__, which is the metric's own name`+when, aliasPush{"/job/x", "# TYPE m gauge\nm{\"..name..\"=\"1\",@} 1\n"})
	f(`labels "a.b" and a_b of the grouping key both become a_b`+when, aliasPush{"/job/x/U__a_2e_b/1/a_b/2", ""})
	f(`label "-name-" of the grouping key becomes __name__, which is the metric's own name when names are escaped (escaping=dots)`, aliasPush{"/job/x/U___2d_name_2d_/1", ""})

	// Series that become the same one, in one push, and in groups of all kinds of
	// shapes.
	f("", aliasPush{"/job/x", "# TYPE m gauge\nm{\"a.b\"=\"1\",@} 1\nm{a_b=\"2\",@} 1\n"})
	f(`series m{"a.b"="1",instance="",job="x"} becomes the same as {a_b="1",instance="",job="x"} in this push`+when, aliasPush{"/job/x", "# TYPE m gauge\nm{\"a.b\"=\"1\",@} 1\nm{a_b=\"1\",@} 1\n"})
	f(`series m{a_b="1",instance="",job="x"} becomes the same as {"a.b"="1",instance="",job="x"} in group /job/x`+when,
		aliasPush{"/job/x", "# TYPE m gauge\nm{\"a.b\"=\"1\",@} 1\n"}, aliasPush{"/job/x/a_b/1", gauge("m", "")})
	f(`series m{"a.b"="1",instance="",job="x"} becomes the same as {a_b="1",instance="",job="x"} in group /job/x/a_b/1`+when,
		aliasPush{"/job/x/a_b/1", gauge("m", "")}, aliasPush{"/job/x", "# TYPE m gauge\nm{\"a.b\"=\"1\",@} 1\n"})
	f(`series m{"a.b"="1",c_d="2",instance="",job="x"} becomes the same as {"a.b"="1","c.d"="2",instance="",job="x"} in group /job/x`+when,
		aliasPush{"/job/x", "# TYPE m gauge\nm{\"a.b\"=\"1\",\"c.d\"=\"2\",@} 1\n"}, aliasPush{"/job/x/U__a_2e_b/1", "# TYPE m gauge\nm{\"a.b\"=\"1\",c_d=\"2\",instance=\"\",job=\"x\"} 1\n"})
	f(`series m{"a-b"="1",instance="",job="x",z="3"} becomes the same as {"a.b"="1",instance="",job="x",z="3"} in group /job/x/U__a_2e_b/1`+when,
		aliasPush{"/job/x/U__a_2e_b/1", "# TYPE m gauge\nm{\"a.b\"=\"1\",instance=\"\",job=\"x\",z=\"3\"} 1\n"}, aliasPush{"/job/x/z/3", "# TYPE m gauge\nm{\"a-b\"=\"1\",@} 1\n"})
	f("", aliasPush{"/job/x/U__a_2e_b/1", "# TYPE m gauge\nm{\"a.b\"=\"1\",instance=\"\",job=\"x\",z=\"3\"} 1\n"}, aliasPush{"/job/x/z/3", "# TYPE m gauge\nm{\"a-b\"=\"2\",@} 1\n"})

	// Groups.
	f("", aliasPush{"/job/x/a_b/1", ""}, aliasPush{"/job/x/U__a_2e_b/2", ""})
	f(`the grouping labels {"a.b"="1",instance="",job="x"} become the same as those of group /job/x/a_b/1`+when, aliasPush{"/job/x/a_b/1", ""}, aliasPush{"/job/x/U__a_2e_b/1", ""})
	f(`the grouping labels {a_b="1",instance="",job="x"} become the same as those of group /job/x/U__a_2e_b/1`+when, aliasPush{"/job/x/U__a_2e_b/1", ""}, aliasPush{"/job/x/a_b/1/instance@base64/=", ""})
	f(`the grouping labels {a_b="1",instance="",job="x"} become the same as those of group /job/x/U__a_2e_b/1/instance@base64/=`+when, aliasPush{"/job/x/U__a_2e_b/1/instance@base64/=", ""}, aliasPush{"/job/x/a_b/1", ""})
	f(`the grouping labels {"a-b"="1",instance="i",job="x"} become the same as those of group /job/x/U__a_2e_b/1/instance/i`+when, aliasPush{"/job/x/U__a_2e_b/1/instance/i", ""}, aliasPush{"/job/x/U__a_2d_b/1/instance/i", ""})
}

// A set of labels that can be written in too many ways is refused, though no two
// series are the same: each series of a later push would be looked up under all of
// them.
func TestTooManySpellings(t *testing.T) {
	const odd = "!$%&/()=?+*"
	s := newTestStore(t, Settings{})
	put := func(path, text string) error {
		e, err := s.Draft().Put(aliasPush{path, text}.push(t))
		if err == nil {
			s.Apply(s.Sequence()+1, e)
		}
		return err
	}
	check := func(i int, want string, err error) {
		t.Helper()
		if (err != nil) != (i > maxRespellings) || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%d before: got %v", i, err)
		}
	}
	for i := range maxRespellings + 2 {
		check(i, "more than 8 sets of labels of m become a_b,instance,job when names are escaped (escaping=underscores)\n",
			put(fmt.Sprintf("/job/x%d", i), fmt.Sprintf("# TYPE m gauge\nm{\"a%cb\"=\"1\",@} 1\n", odd[i])))
	}
	for i := range maxRespellings + 2 {
		check(i, "more than 8 sets of grouping labels become a_b,instance,job when names are escaped (escaping=underscores)\n",
			put(fmt.Sprintf("/job/y/U__a_%x_b/%d", odd[i], i), ""))
	}
}

// A group that has expired tells so by a series, which stands in the way of a group
// whose labels become the same, until it is forgotten; a group does not die into
// the way of another one.
func TestAliasOfDeadGroup(t *testing.T) {
	s := newTestStore(t, Settings{})
	utf8, legacy := mustKey(t, "/job/x/U__a_2e_b/1"), mustKey(t, "/job/x/a_b/1")
	s.Apply(1, Event{Op: OpPut, Key: utf8, PushTime: 1, Expires: 5})
	e, ok, err := s.Draft().Due(utf8, 5, 100)
	if err != nil || !ok || e.Op != OpExpire {
		t.Fatalf("got %v %v %v", e, ok, err)
	}
	s.Apply(2, e)
	if _, err := s.Draft().Put(Push{Key: legacy, Time: 6}); err == nil || !strings.Contains(err.Error(), "/job/x/U__a_2e_b/1") {
		t.Errorf("got %v", err)
	}
	if _, ok, err := s.Draft().Fail(Push{Key: legacy, Time: 6}, ""); ok || err != nil {
		t.Errorf("the refusal makes the group: %v %v", ok, err)
	}
	if _, err := s.Draft().Put(Push{Key: utf8, Time: 6}); err != nil {
		t.Errorf("it does not come back to life: %v", err)
	}
	e, ok, err = s.Draft().Due(utf8, 105, 100)
	if err != nil || !ok || e.Op != OpDelete {
		t.Fatalf("got %v %v %v", e, ok, err)
	}
	s.Apply(3, e)
	if _, err := s.Draft().Put(Push{Key: legacy, Time: 106}); err != nil {
		t.Error(err)
	}
	// Both are in the stream of an older gateway.
	s.Apply(4, Event{Op: OpPut, Key: utf8, PushTime: 110, Expires: 120})
	s.Apply(5, Event{Op: OpPut, Key: legacy, PushTime: 110})
	if e, ok, err := s.Draft().Due(utf8, 120, 100); err != nil || !ok || e.Op != OpDelete {
		t.Errorf("got %v %v %v, want that it is forgotten at once", e, ok, err)
	}
}

// However long the names are, the text has room for what can be done.
func TestTextOfAnAliasIsShort(t *testing.T) {
	s := newTestStore(t, Settings{})
	name, value := strings.Repeat("n", 900), strings.Repeat("v", 900)
	put := func(path, text string) error {
		e, err := s.Draft().Put(aliasPush{path, text}.push(t))
		if err == nil {
			s.Apply(s.Sequence()+1, e)
		}
		return err
	}
	if err := put("/job/x/"+name+"/"+value, fmt.Sprintf("# TYPE \"%s.m\" gauge\n{\"%s.m\",\"a.b\"=\"%s\",@} 1\n", name, name, value)); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		put("/job/x", fmt.Sprintf("# TYPE \"%s.m\" gauge\n{\"%s.m\",a_b=\"%s\",instance=\"\",job=\"x\",%s=\"%s\"} 1\n", name, name, value, name, value)),
		put("/job/y", fmt.Sprintf("# TYPE %s_m gauge\n%s_m{@} 1\n", name, name)),
		put("/job/y", fmt.Sprintf("# TYPE m gauge\nm{\"%s-b\"=\"1\",\"%s.b\"=\"1\",@} 1\n", name, name)),
	} {
		if err == nil || len(err.Error()) > 900 || !strings.HasSuffix(err.Error(), ".") {
			t.Errorf("got %v", err)
		}
	}
}
