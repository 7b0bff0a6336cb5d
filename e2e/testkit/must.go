package testkit

import "fmt"

// Must returns the value of a call that cannot fail in a test:
//
//	key := testkit.Must(store.ParseKey("/job/backup"))
//
// It panics on an error, so that it can be used where there is no test at hand, as
// in the declaration of a variable.
func Must[T any](value T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("unexpected error: %v", err))
	}
	return value
}
