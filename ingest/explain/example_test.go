package explain_test

import (
	"fmt"
	"log"

	"sluice/ingest/decode"
	"sluice/ingest/explain"
	"sluice/store"
)

// A refusal gets the column of the mistake and what to do about it.
func ExampleExplain() {
	key, err := store.NewKey("backup")
	if err != nil {
		log.Fatal(err)
	}
	body := []byte("backup_bytes{disk='a'} 1500\n")

	_, err = decode.Families(body, "text/plain", key, decode.Options{})
	err = explain.Explain(err, body, explain.Request{ContentType: "text/plain"}, key, decode.Options{})
	fmt.Println(err)
	// Output:
	// text format parsing error in line 1: expected '"' at start of label value, found '\''; column 19: the label value is in single quotes
	// Labels are written as {name="value",other="value"}, with double quotes.
}
