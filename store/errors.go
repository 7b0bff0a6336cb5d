package store

import (
	"errors"
	"fmt"

	"sluice/store/words"
)

// ErrStale is the error of a Draft if events were applied to the store since the draft
// was begun. The changes must be judged again, by a new draft.
var ErrStale = errors.New("the store has moved on since the draft was begun")

// ErrImporting is the error of a Draft while an import is not complete. Until then the
// stream takes only events of the import, and a wipe, which ends it.
var ErrImporting = errors.New("an import is not complete")

// TooManyGroups is the refusal of a push that would make a group when there are as
// many as allowed.
type TooManyGroups struct {
	// Limit is how many groups there may be.
	Limit int
	// Job is the job whose groups are limited, "" if the limit is on all groups.
	Job string
}

// Error names the limit.
func (e *TooManyGroups) Error() string {
	if e.Job != "" {
		return fmt.Sprintf("job %.100q already has %s, as many as it may have", e.Job, words.Count(e.Limit, "group", "groups"))
	}
	if e.Limit == 1 {
		return "there is already 1 group, as many as there may be"
	}
	return fmt.Sprintf("there are already %s, as many as there may be", words.Count(e.Limit, "group", "groups"))
}
