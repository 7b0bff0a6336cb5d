package history

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

// limit is far beyond what the small histories here take.
const limit = 10 * time.Minute

func put(value int64, gateway int, call, end int64) Operation {
	return Operation{Kind: Put, Group: "g", State: State{value, value, value}, Gateway: gateway, Outcome: Accepted, Call: call, Return: end}
}

// post replaces a family that puts do not have.
func post(value int64, gateway int, call, end int64) Operation {
	return Operation{Kind: Post, Group: "g", State: State{value, 0, 0, value}, Gateway: gateway, Outcome: Accepted, Call: call, Return: end}
}

func remove(gateway int, call, end int64) Operation {
	return Operation{Kind: Delete, Group: "g", Gateway: gateway, Outcome: Accepted, Call: call, Return: end}
}

func unknown(o Operation) Operation {
	o.Outcome, o.Gateway = Unknown, Nobody
	return o
}

func refused(o Operation) Operation {
	o.Outcome = Refused
	return o
}

func read(gateway int, state State, call, end int64) Operation {
	return Operation{Kind: Read, Group: "g", State: state, Gateway: gateway, Call: call, Return: end}
}

func start(gateway int, at int64) Operation {
	return Operation{Kind: Start, Gateway: gateway, Call: at, Return: at}
}

func end(at int64) Operation { return Operation{Kind: End, Gateway: Nobody, Call: at, Return: at} }

// only is the state after a put, and with that after a post that follows a put.
func only(value int64) State { return State{value, value, value} }

func with(put, post int64) State { return State{post, put, put, post} }

var gone = State{}

func TestCheckKeepsWhatIsPromised(t *testing.T) {
	f := func(name string, operations ...Operation) {
		t.Helper()
		if v := Check(operations, limit); v.Result != Kept {
			t.Errorf("%s: %s, %s: %s", name, v.Result, v.Reason, v.Culprit)
		}
	}
	f("nothing")
	f("a push is shown", put(1, 0, 1, 2), read(0, only(1), 3, 4))
	f("a push is shown before it is accepted", put(1, 0, 1, 4), read(0, only(1), 2, 3), read(0, only(1), 5, 6))
	f("a read beside a push shows what was before", put(1, 0, 1, 4), read(0, gone, 2, 5), read(0, only(1), 6, 7))
	f("a post merges", put(1, 0, 1, 2), post(2, 0, 3, 4), read(0, with(1, 2), 5, 6))
	f("a put replaces", put(1, 0, 1, 2), post(2, 0, 3, 4), put(3, 0, 5, 6), read(0, only(3), 7, 8))
	f("a delete removes", put(1, 0, 1, 2), remove(0, 3, 4), read(0, gone, 5, 6), post(2, 0, 7, 8), read(0, State{2, 0, 0, 2}, 9, 10))
	f("another gateway lags", put(1, 0, 1, 2), put(2, 0, 3, 4), read(0, only(2), 5, 6), read(1, gone, 7, 8), read(1, only(1), 9, 10), read(1, only(2), 11, 12))
	f("another gateway skips", put(1, 0, 1, 2), put(2, 0, 3, 4), put(3, 0, 5, 6), read(1, only(1), 7, 8), read(1, only(3), 9, 10))
	f("a gateway lags behind what another one has accepted later", put(1, 0, 1, 2), put(2, 1, 3, 4), read(0, only(1), 5, 6))
	f("pushes at the same time come in any order", put(1, 0, 1, 9), put(2, 1, 2, 3), read(0, only(2), 5, 6), read(0, only(1), 7, 8), read(1, only(1), 10, 11))
	f("a push of unknown outcome comes late", unknown(put(1, 0, 1, 2)), put(2, 0, 3, 4), read(0, only(2), 5, 6), read(0, only(1), 7, 8), end(9), read(1, only(1), 10, 11))
	f("a push of unknown outcome never comes", unknown(put(1, 0, 1, 2)), put(2, 0, 3, 4), read(0, only(2), 5, 6), end(9), read(1, only(2), 10, 11))
	f("a push of unknown outcome is seen as what it has removed",
		put(1, 0, 1, 2), post(2, 0, 3, 4), unknown(put(3, 0, 5, 6)), post(4, 0, 7, 8), read(0, with(3, 4), 9, 10))
	f("a delete of unknown outcome comes late", put(1, 0, 1, 2), unknown(remove(0, 3, 4)), read(0, only(1), 5, 6), read(0, gone, 7, 8), end(9), read(0, gone, 10, 11))
	f("a delete of unknown outcome never comes", put(1, 0, 1, 2), unknown(remove(0, 3, 4)), end(9), read(0, only(1), 10, 11))
	f("a refused push", put(1, 0, 1, 2), refused(put(2, 0, 3, 4)), read(0, only(1), 5, 6))
	f("a start catches up", put(1, 0, 1, 2), start(1, 3), read(1, only(1), 4, 5))
	f("a start shows what came meanwhile, or not", put(1, 0, 1, 2), start(1, 3), start(2, 4), put(2, 0, 5, 6), read(1, only(1), 7, 8), read(2, only(2), 9, 10))
	f("all come to the end", put(1, 0, 1, 2), end(3), read(0, only(1), 4, 5), read(1, only(1), 6, 7), read(2, only(1), 8, 9))
}

func TestCheckFindsWhatIsBroken(t *testing.T) {
	// culprit is the index of the operation with which it becomes impossible.
	f := func(name, reason string, culprit int, operations ...Operation) {
		t.Helper()
		v := Check(operations, limit)
		if v.Result != Broken || v.Reason != reason || v.Culprit != operations[culprit] {
			t.Errorf("%s: %s, %s: %s", name, v.Result, v.Reason, v.Culprit)
		}
		if !slices.Contains(v.Prefix, v.Culprit) {
			t.Errorf("%s: the culprit is not in %v", name, v.Prefix)
		}
		slices.Reverse(operations) // the order of recording says nothing
		if again := Check(operations, limit); again.Result != v.Result || again.Reason != v.Reason || again.Culprit != v.Culprit {
			t.Errorf("%s: recorded in another order: %s, %s: %s", name, again.Result, again.Reason, again.Culprit)
		}
	}
	const (
		stale   = "a gateway does not show a change that it has accepted"
		lost    = "an accepted change is not there"
		back    = "a gateway has gone back"
		forgot  = "a gateway shows less after its start than there was before it"
		noOrder = "there is no order of the changes with which this could be shown"
	)
	f("an accepted push is lost", lost, 4,
		put(1, 0, 1, 2), unknown(put(3, 0, 3, 4)), put(2, Nobody, 5, 6), end(7), read(0, only(1), 8, 9))
	f("an accepted first push is lost", lost, 2, put(1, Nobody, 1, 2), end(3), read(2, gone, 4, 5))
	f("an accepted merge is lost", noOrder, 4,
		put(1, 0, 1, 2), post(2, 0, 3, 4), read(0, with(1, 2), 5, 6),
		Operation{Kind: Post, Group: "g", State: State{3}, Outcome: Accepted, Gateway: 0, Call: 7, Return: 8}, read(0, State{3, 1, 1, 0}, 9, 10))
	f("a push is lost over a merge on another gateway", noOrder, 2, put(1, 0, 1, 2), post(2, 1, 3, 4), read(1, State{2, 0, 0, 2}, 5, 6))
	f("a delete is undone", back, 4, put(1, 0, 1, 2), read(0, only(1), 3, 4), remove(0, 5, 6), read(0, gone, 7, 8), read(0, only(1), 9, 10))
	f("a delete is undone before anybody looks", stale, 2, put(1, 0, 1, 2), remove(0, 3, 4), read(0, only(1), 5, 6))
	f("a delete is undone in the end", lost, 3, put(1, 1, 1, 2), remove(Nobody, 3, 4), end(5), read(0, only(1), 6, 7))
	f("a delete is undone by a merge", noOrder, 3, put(1, 0, 1, 2), remove(0, 3, 4), post(2, 0, 5, 6), read(0, with(1, 2), 7, 8))
	f("a stale read", stale, 2, put(1, 0, 1, 2), put(2, 0, 3, 4), read(0, only(1), 5, 6))
	f("a stale read of what a merge has changed", stale, 2, put(1, 0, 1, 2), post(2, 0, 3, 4), read(0, only(1), 5, 6))
	f("a push is applied again after another one", back, 5,
		put(1, 0, 1, 2), read(0, only(1), 3, 4), put(2, 0, 5, 6), read(1, only(1), 7, 8), read(1, only(2), 9, 10), read(1, only(1), 11, 12))
	f("a push is applied again, seen in a merge", noOrder, 6,
		put(1, 0, 1, 2), put(2, 0, 3, 4), read(1, only(2), 5, 6), end(7), read(2, only(2), 8, 9), post(4, 0, 10, 11), read(2, with(1, 4), 12, 13))
	f("a push of unknown outcome is applied twice", back, 4,
		unknown(put(1, 0, 1, 2)), read(0, only(1), 3, 4), put(2, 0, 5, 6), read(0, only(2), 7, 8), read(0, only(1), 9, 10))
	f("a view goes back", back, 4,
		put(1, 0, 1, 2), put(2, 0, 3, 4), read(1, only(1), 5, 6), read(1, only(2), 7, 8), read(1, only(1), 9, 10))
	f("a view goes back over a start", back, 4, put(1, 0, 1, 2), put(2, 0, 3, 4), read(1, only(2), 5, 6), start(1, 7), read(1, only(1), 8, 9))
	f("a view is old after a start", forgot, 3, put(1, 0, 1, 2), put(2, 0, 3, 4), start(1, 5), read(1, only(1), 6, 7))
	f("two gateways see two orders", back, 5,
		put(1, 0, 1, 4), put(2, 1, 2, 3), read(0, only(1), 5, 6), read(0, only(2), 7, 8), read(2, only(2), 9, 10), read(2, only(1), 11, 12))
	f("a refused push is shown", "the push of value 2 was refused", 2, put(1, 0, 1, 2), refused(put(2, 0, 3, 4)), read(0, only(2), 5, 6))
	f("nobody has pushed that", "nobody has pushed the value 2 of family 0", 1, put(1, 0, 1, 2), read(0, only(2), 3, 4))
	f("a push is shown before it is sent", "the value 1 is pushed later", 1, put(1, 0, 5, 6), read(0, only(1), 3, 4))
}

// A history that cannot be decided in time does not count as kept. To decide this one,
// each choice of deletes that have had an effect would have to be tried.
func TestCheckIsBounded(t *testing.T) {
	var operations []Operation
	for i := range int64(60) {
		operations = append(operations, unknown(remove(0, i+1, i+1)))
	}
	operations = append(operations, put(1, 0, 100, 101), post(2, 0, 102, 103), read(0, State{2, 1, 0, 0}, 104, 105))
	operations[60].State = State{1, 1, 1}
	if v := Check(operations, 50*time.Millisecond); v.Result != Undecided {
		t.Errorf("%s, %s", v.Result, v.Reason)
	}
}

func TestHistoriesAreKept(t *testing.T) {
	var r Recorder
	call := r.Tick()
	r.Add(put(1, 0, call, r.Tick()), start(1, r.Tick()), Operation{Kind: Put, Group: "h", Call: r.Tick(), Return: r.Tick()}, end(r.Tick()))
	var text bytes.Buffer
	if err := Write(&text, r.All()); err != nil {
		t.Fatal(err)
	}
	back, err := ReadAll(&text)
	if err != nil || !slices.Equal(back, r.All()) {
		t.Errorf("%v, %v", back, err)
	}
	groups := Split(back)
	if len(groups) != 2 || len(groups["g"]) != 3 || len(groups["h"]) != 2 {
		t.Errorf("by group: %v", groups)
	}
	if _, err := ReadAll(bytes.NewBufferString("{\"kind\":\n")); err == nil {
		t.Error("half a line is read")
	}
}

func TestDraw(t *testing.T) {
	var page bytes.Buffer
	if err := Draw(&page, []Operation{put(1, 0, 1, 2), put(2, 0, 3, 4), read(0, only(1), 5, 6), start(1, 7), end(8)}, limit); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(page.Bytes(), []byte("<html")) {
		t.Errorf("%d bytes, and no page", page.Len())
	}
}
