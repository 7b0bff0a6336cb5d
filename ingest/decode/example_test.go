package decode_test

import (
	"errors"
	"fmt"
	"log"

	"sluice/ingest/decode"
	"sluice/store"
)

// A text body becomes families in canonical form: sorted, and each series with
// the labels of its group.
func ExampleFamilies() {
	key, err := store.NewKey("backup", store.Label{Name: "instance", Value: "db1"})
	if err != nil {
		log.Fatal(err)
	}
	body := []byte("# TYPE backup_bytes gauge\nbackup_bytes{disk=\"b\"} 2e3\nbackup_bytes{disk=\"a\"} 1500\n")

	families, err := decode.Families(body, "text/plain; version=0.0.4", key, decode.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range families {
		fmt.Printf("%s is a %s\n%s", f.Name, f.Type, f.Text)
	}
	// Output:
	// backup_bytes is a GAUGE
	// # TYPE backup_bytes gauge
	// backup_bytes{disk="a",instance="db1",job="backup"} 1500
	// backup_bytes{disk="b",instance="db1",job="backup"} 2000
}

// The type of the error says what a gateway does with it: a syntax error leaves
// no trace, a refusal is noted as the failure of its group, and a limit is
// answered by 413.
func ExampleFamilies_errors() {
	key, err := store.NewKey("backup")
	if err != nil {
		log.Fatal(err)
	}
	opts := decode.Options{Limits: decode.Limits{Series: 2}}
	for _, body := range []string{"a one\n", "a 1 1700000000000\n", "a 1\nb 2\nc 3\n"} {
		_, err := decode.Families([]byte(body), "", key, opts)
		if syntax, ok := errors.AsType[*decode.SyntaxError](err); ok {
			fmt.Println("syntax, line", syntax.Line)
		}
		if refused, ok := errors.AsType[*decode.RefusedError](err); ok {
			fmt.Println("refused:", refused.Reason)
		}
		if limit, ok := errors.AsType[*decode.LimitError](err); ok {
			fmt.Println("limit:", limit.Reason)
		}
	}
	// Output:
	// syntax, line 1
	// refused: timestamp
	// limit: too_many_series
}
