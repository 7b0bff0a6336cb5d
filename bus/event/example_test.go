package event_test

import (
	"fmt"
	"maps"
	"slices"

	"sluice/bus/event"
	"sluice/store"
)

// A push becomes a message of the stream, from which each gateway reads it again.
func Example() {
	key, err := store.NewKey("backup", store.Label{Name: "instance", Value: "db1"})
	if err != nil {
		panic(err)
	}
	families, err := store.ParseText([]byte("# TYPE rows gauge\nrows{instance=\"db1\",job=\"backup\"} 5\n"))
	if err != nil {
		panic(err)
	}
	codec := event.NewCodec("sluice")
	m, err := codec.Encode(store.Event{Op: store.OpPut, Key: key, PushTime: 1_500_000_000, Families: families})
	if err != nil {
		panic(err)
	}
	fmt.Println(m.Subject)
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		fmt.Printf("%s: %s\n", name, event.Header(m, name))
	}
	e, _, err := codec.Decode(m)
	fmt.Println(e.Op, e.Key, e.Families[0].Name, err)
	// Output:
	// sluice.log.job=backup,instance=db1
	// Content-Type: text/plain; version=0.0.4; charset=utf-8
	// Sluice-Group: /job/backup/instance/db1
	// Sluice-Op: put
	// Sluice-Push-Time: 1.5
	// Sluice-Version: 1
	// put /job/backup/instance/db1 rows <nil>
}
