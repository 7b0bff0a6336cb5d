package store

import (
	"bytes"

	dto "github.com/prometheus/client_model/go"
)

// Names of the families that every group with a time to live has besides.
const (
	GroupUpName      = "sluice_group_up"
	GroupPushName    = "sluice_group_last_push_timestamp_seconds"
	GroupExpiresName = "sluice_group_expires_timestamp_seconds"
)

// IsOwnName tells whether a family is one that the store makes for each group:
// what is pushed under such a name is left out, as Pushgateway does with
// push_time_seconds.
func IsOwnName[T string | []byte](name T) bool {
	switch string(name) {
	case PushTimeName, PushFailureName, GroupUpName, GroupPushName, GroupExpiresName:
		return true
	}
	return false
}

// Heads of these families. Those of the group's times are in Pushgateway's words.
const (
	pushTimeHead     = "# HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.\n# TYPE push_time_seconds gauge\n"
	pushFailureHead  = "# HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.\n# TYPE push_failure_time_seconds gauge\n"
	groupUpHead      = "# HELP sluice_group_up Whether the group was pushed within its time to live: 0 from then on until it is forgotten, and before a push was accepted. Only of groups that have one.\n# TYPE sluice_group_up gauge\n"
	groupPushHead    = "# HELP sluice_group_last_push_timestamp_seconds Unix time of the group's last accepted push. Only of groups that have a time to live.\n# TYPE sluice_group_last_push_timestamp_seconds gauge\n"
	groupExpiresHead = "# HELP sluice_group_expires_timestamp_seconds Unix time at which the group expires, or has expired, if it is not pushed again.\n# TYPE sluice_group_expires_timestamp_seconds gauge\n"
)

// maxOwn is how many families of the store's a group has at most.
const maxOwn = 2 + len(derivedNames) - 1

// own returns the families that the store makes for the group, sorted by name, in
// buf: those of its times, unless it is dead, whose texts share one allocation, and
// those of its time to live, if it has one.
func (g *Group) own(e Event, buf *[maxOwn]held) []held {
	labels := appendLabels(nil, g.key)
	quoted := labels[0] == '"' || bytes.Contains(labels, []byte(`,"`))
	own := buf[:0]
	if !g.Dead() {
		text := make([]byte, 0, 2*(len(pushFailureHead)+len(PushFailureName)+len(labels)+len("{} 1.234567890123e+09\n")))
		text = appendTime(append(text, pushFailureHead...), PushFailureName, labels, e.FailTime)
		n := len(text)
		text = appendTime(append(text, pushTimeHead...), PushTimeName, labels, e.PushTime)
		own = append(own,
			held{name: PushFailureName, typ: dto.MetricType_GAUGE, text: text[:n:n], head: int32(len(pushFailureHead)), quoted: quoted},
			held{name: PushTimeName, typ: dto.MetricType_GAUGE, text: text[n:], head: int32(len(pushTimeHead)), quoted: quoted})
	}
	if e.Expires != 0 {
		for d := derivedExpires; d <= derivedUp; d++ {
			own = append(own, held{name: derivedNames[d], typ: dto.MetricType_GAUGE, derived: d, quoted: quoted})
		}
	}
	return own
}

// derived says which of a group's families has no text of its own, since that
// follows from the group. Such a family costs a group with a time to live less
// than a third of what it would with a text.
type derived uint8

const (
	notDerived derived = iota
	derivedExpires
	derivedPush
	derivedUp
)

// derivedNames are sorted, in the order of the constants.
var derivedNames = [...]string{derivedExpires: GroupExpiresName, derivedPush: GroupPushName, derivedUp: GroupUpName}

// derive writes the text of such a family, and returns it with the length of
// its head.
func (g *Group) derive(d derived) (text []byte, head int) {
	labels := appendLabels(make([]byte, 0, 128), g.key)
	text = make([]byte, 0, len(groupUpHead)+len(GroupPushName)+len(labels)+len("{} 1.234567890123e+09\n")+32)
	switch d {
	case derivedExpires:
		text = append(text, groupExpiresHead...)
		head = len(text)
		text = appendTime(text, GroupExpiresName, labels, g.expires)
	case derivedPush:
		text = append(text, groupPushHead...)
		head = len(text)
		text = appendTime(text, GroupPushName, labels, g.pushTime)
	case derivedUp:
		text = append(text, groupUpHead...)
		head = len(text)
		up := int64(0)
		if g.Up() {
			up = 1e9
		}
		text = appendTime(text, GroupUpName, labels, up)
	}
	return text, head
}

// text returns the text of a member's family, and the length of its head.
func (m member) text() ([]byte, int) {
	h := m.held()
	if h.derived != notDerived {
		return m.group.derive(h.derived)
	}
	return h.text, int(h.head)
}

// appendTime writes the sample of a time in seconds.
func appendTime(dst []byte, name string, labels []byte, nanos int64) []byte {
	dst = append(dst, name...)
	dst = append(dst, '{')
	dst = append(dst, labels...)
	dst = append(dst, "} "...)
	dst = AppendNumber(dst, float64(nanos)/1e9)
	return append(dst, '\n')
}
