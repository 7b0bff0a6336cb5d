package page

import (
	"regexp"
	"strings"
	"time"

	"sluice/exposer/api"
)

// reason is why the pushes of a group are refused.
type reason struct {
	Time *time.Time
	// Way is the path of the group that is in the way, "" if there is none or the text
	// does not have it whole.
	Way string
	// Text is the first line without the words that all such refusals begin with.
	Text string
}

// commonWords are what the refusal of every push begins with that is inconsistent,
// as in Pushgateway. They say nothing about it.
const commonWords = "pushed metrics are invalid or inconsistent with existing metrics: "

// reasonOf returns why the last push of a group was refused, nil if it was not.
func reasonOf(g api.GroupSummary) *reason {
	if g.State == api.StateUp || g.State == api.StateDead && !diedRefused(g) {
		return nil
	}
	line, _, _ := strings.Cut(strings.TrimPrefix(g.LastRefusal, commonWords), "\n")
	return &reason{Time: refusedAt(g), Way: groupInTheWay(g.LastRefusal), Text: line}
}

// diedRefused tells whether a group is dead although somebody pushed to it after its
// last push that was accepted: the pusher lives, but its pushes are refused.
func diedRefused(g api.GroupSummary) bool {
	at := refusedAt(g)
	return g.State == api.StateDead && at != nil && (g.PushTime == nil || at.After(*g.PushTime))
}

// refusedAt is when a push to the group was last refused, nil if never.
func refusedAt(g api.GroupSummary) *time.Time {
	if g.RefusalTime != nil {
		return g.RefusalTime
	}
	return g.FailureTime
}

// inTheWay finds the group in the text of a refusal. Its path ends before what
// may follow it there.
var inTheWay = regexp.MustCompile(`\bgroup (/job(?:@base64)?/.*?)(?:; | both become | when names are escaped|\n|$)`)

// groupInTheWay returns the path of the first group that a refusal names, "" for
// none. A path that the text has shortened is none.
func groupInTheWay(refusal string) string {
	found := inTheWay.FindStringSubmatch(refusal)
	if found == nil || strings.HasSuffix(found[1], "...") {
		return ""
	}
	return found[1]
}
