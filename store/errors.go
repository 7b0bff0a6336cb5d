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
	// Quota is the limit. Its Rule is "" if it is Settings.MaxGroups, for all groups.
	Quota Quota
	// Groups is how many there are: more than the limit if it was lowered since.
	Groups int
}

// Error names the limit, and how many groups there are.
func (e *TooManyGroups) Error() string {
	limit, have := words.Count(e.Quota.Max, "group", "groups"), words.Count(e.Groups, "exists", "exist")
	rule, of := clip(e.Quota.Rule, maxRuleText), clip(e.Quota.Of, maxKeyText)
	switch {
	case rule == "":
		return fmt.Sprintf("the limit is %s, and %s", limit, have)
	case of == "":
		return fmt.Sprintf("%s allows %s in all, and %s", rule, limit, have)
	}
	return fmt.Sprintf("%s allows %s with %s, and %s", rule, limit, of, have)
}

// maxRuleText bounds in bytes what a text quotes of a rule.
const maxRuleText = 200
