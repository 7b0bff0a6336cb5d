package store_test

import (
	"errors"
	"fmt"

	"sluice/store"
)

// The key of a group is the path of the push route, in a normal form.
func ExampleParseKey() {
	key, err := store.ParseKey("/job/backup/zone/eu@1/instance@base64/ZGIvMQ")
	if err != nil {
		fmt.Println(err)
		return
	}
	instance, _ := key.Get(store.InstanceLabel)
	fmt.Println(key)
	fmt.Println(instance)
	// Output:
	// /job/backup/instance@base64/ZGIvMQ/zone/eu@1
	// db/1
}

// A draft judges changes, and Apply makes its events part of the state. Between the two
// the events go into the stream, whose sequences Apply gets.
func ExampleDraft() {
	s := store.New(store.Settings{})
	push := func(path, text string) store.Push {
		key, err := store.ParseKey(path)
		if err != nil {
			panic(err)
		}
		families, err := store.ParseText([]byte(text))
		if err != nil {
			panic(err)
		}
		return store.Push{Key: key, Families: families, Time: 1_700_000_000_000_000_000}
	}

	draft := s.Draft()
	first, err := draft.Put(push("/job/a", "# TYPE m gauge\nm{instance=\"\",job=\"a\"} 1\n"))
	fmt.Println(first.Op, first.Key, err)

	// The draft knows of the first push, so the second one is a conflict.
	_, err = draft.Put(push("/job/b", "# TYPE m counter\nm{instance=\"\",job=\"b\"} 1\n"))
	var conflict *store.Conflict
	fmt.Println(errors.As(err, &conflict), conflict.Offenders[0])

	s.Apply(draft.Base()+1, first)
	_, err = draft.Put(push("/job/c", "# TYPE m gauge\nm{instance=\"\",job=\"c\"} 1\n"))
	fmt.Println(err)
	// Output:
	// put /job/a <nil>
	// true m is a counter in this push, but a gauge in group /job/a
	// the store has moved on since the draft was begun
}

// A view is the state at one sequence, whatever is applied later.
func ExampleStore_View() {
	s := store.New(store.Settings{})
	apply := func(seq uint64, path, text string) {
		key, err := store.ParseKey(path)
		if err != nil {
			panic(err)
		}
		families, err := store.ParseText([]byte(text))
		if err != nil {
			panic(err)
		}
		s.Apply(seq, store.Event{Op: store.OpPut, Key: key, PushTime: 1, Families: families})
	}
	apply(1, "/job/a", "# TYPE m gauge\nm{instance=\"\",job=\"a\"} 1\n")
	apply(2, "/job/b", "# TYPE m gauge\nm{instance=\"\",job=\"b\"} 2\n")
	view := s.View()
	apply(3, "/job/a", "# TYPE m gauge\nm{instance=\"\",job=\"a\"} 3\n")

	fmt.Println("sequence", view.Sequence())
	for _, f := range view.Families() {
		if store.IsDerivedName(f.Name()) {
			continue
		}
		fmt.Printf("%s", f.Head())
		for block := range f.Blocks() {
			fmt.Printf("%s", block)
		}
	}
	// Output:
	// sequence 2
	// # TYPE m gauge
	// m{instance="",job="a"} 1
	// m{instance="",job="b"} 2
}
