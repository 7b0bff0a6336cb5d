package store

import (
	"bytes"

	dto "github.com/prometheus/client_model/go"
)

// Names of the families that the store derives from each group. All living groups
// have the first two, as in Pushgateway, and groups with a time to live the others.
const (
	PushTimeName     = "push_time_seconds"
	PushFailureName  = "push_failure_time_seconds"
	GroupUpName      = "sluice_group_up"
	GroupPushName    = "sluice_group_last_push_timestamp_seconds"
	GroupExpiresName = "sluice_group_expires_timestamp_seconds"
)

// IsDerivedName reports whether the store derives the family of this name from each
// group. What is pushed under such a name is dropped, as Pushgateway drops
// push_time_seconds.
func IsDerivedName[T string | []byte](name T) bool {
	switch string(name) {
	case PushTimeName, PushFailureName, GroupUpName, GroupPushName, GroupExpiresName:
		return true
	}
	return false
}

// Heads of these families. Those of the first two are Pushgateway's.
const (
	pushTimeHead     = "# HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.\n# TYPE push_time_seconds gauge\n"
	pushFailureHead  = "# HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.\n# TYPE push_failure_time_seconds gauge\n"
	groupUpHead      = "# HELP sluice_group_up Whether the group was pushed within its time to live: 0 from then on until it is forgotten, and before a push was accepted. Only of groups that have one.\n# TYPE sluice_group_up gauge\n"
	groupPushHead    = "# HELP sluice_group_last_push_timestamp_seconds Unix time of the group's last accepted push. Only of groups that have a time to live.\n# TYPE sluice_group_last_push_timestamp_seconds gauge\n"
	groupExpiresHead = "# HELP sluice_group_expires_timestamp_seconds Unix time at which the group expires, or has expired, if it is not pushed again.\n# TYPE sluice_group_expires_timestamp_seconds gauge\n"
)

// maxDerived is how many derived families a group has at most.
const maxDerived = 2 + len(lazyNames) - 1

// derive returns the families that follow from the group, sorted by name, in buf.
// A living group has those of its two times, whose texts share one allocation. A
// group with a time to live has three more, whose texts are lazy.
func (g *Group) derive(e Event, buf *[maxDerived]held) []held {
	labels := appendLabels(nil, g.key)
	quoted := labels[0] == '"' || bytes.Contains(labels, []byte(`,"`))
	derived := buf[:0]
	if !g.Dead() {
		text := make([]byte, 0, 2*(len(pushFailureHead)+len(PushFailureName)+len(labels)+len("{} 1.234567890123e+09\n")))
		text = appendTime(append(text, pushFailureHead...), PushFailureName, labels, e.FailTime)
		n := len(text)
		text = appendTime(append(text, pushTimeHead...), PushTimeName, labels, e.PushTime)
		derived = append(derived,
			held{name: PushFailureName, typ: dto.MetricType_GAUGE, text: text[:n:n], head: int32(len(pushFailureHead)), quoted: quoted},
			held{name: PushTimeName, typ: dto.MetricType_GAUGE, text: text[n:], head: int32(len(pushTimeHead)), quoted: quoted})
	}
	if e.Expires != 0 {
		for l := lazyExpires; l <= lazyUp; l++ {
			derived = append(derived, held{name: lazyNames[l], typ: dto.MetricType_GAUGE, lazy: l, quoted: quoted})
		}
	}
	return derived
}

// lazy says which derived family has no text of its own: it is written when somebody
// asks for it. That costs a group with a time to live less than a third of the memory
// that the text would take.
type lazy uint8

const (
	notLazy lazy = iota
	lazyExpires
	lazyPush
	lazyUp
)

// lazyNames are sorted, in the order of the constants.
var lazyNames = [...]string{lazyExpires: GroupExpiresName, lazyPush: GroupPushName, lazyUp: GroupUpName}

// write writes the text of a lazy family, and returns it with the length of its
// head.
func (g *Group) write(l lazy) (text []byte, head int) {
	labels := appendLabels(make([]byte, 0, 128), g.key)
	text = make([]byte, 0, len(groupUpHead)+len(GroupPushName)+len(labels)+len("{} 1.234567890123e+09\n")+32)
	switch l {
	case lazyExpires:
		text = append(text, groupExpiresHead...)
		head = len(text)
		text = appendTime(text, GroupExpiresName, labels, g.expires)
	case lazyPush:
		text = append(text, groupPushHead...)
		head = len(text)
		text = appendTime(text, GroupPushName, labels, g.pushTime)
	case lazyUp:
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
	if h.lazy != notLazy {
		return m.group.write(h.lazy)
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
