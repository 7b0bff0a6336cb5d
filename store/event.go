package store

import (
	"fmt"
)

// Op says what an event does to its group, and which request led to it.
type Op uint8

// The operations. Events of put, post, fail and expire carry the whole new state of
// the group.
const (
	OpPut      Op = iota + 1 // the group was replaced
	OpPost                   // families were merged into the group by name
	OpFail                   // a push was refused: only the failure time is new
	OpDelete                 // the group is gone
	OpWipe                   // all groups are gone
	OpExpire                 // the group's time to live has passed
	OpImport                 // all groups are gone, and only an import may change them until OpImported
	OpImported               // the import is complete
)

var opNames = [...]string{OpPut: "put", OpPost: "post", OpFail: "fail", OpDelete: "delete", OpWipe: "wipe", OpExpire: "expire",
	OpImport: "import", OpImported: "imported"}

// String returns the name of the operation in lower case.
func (op Op) String() string {
	if op == 0 || int(op) >= len(opNames) {
		return fmt.Sprintf("op(%d)", uint8(op))
	}
	return opNames[op]
}

// ParseOp is the inverse of Op.String.
func ParseOp(name string) (Op, error) {
	for op, have := range opNames {
		if name != "" && have == name {
			return Op(op), nil
		}
	}
	return 0, fmt.Errorf("unknown operation %q", name)
}

// Event is a decision: the state of a group from now on. It has been judged, so
// applying it cannot fail.
type Event struct {
	Op  Op
	Key Key // zero for OpWipe, OpImport and OpImported
	// PushTime and FailTime are the group's last accepted and last refused push
	// in nanoseconds since 1970, 0 for never.
	PushTime, FailTime int64
	// Families are the group's families sorted by name, each once.
	Families []Family
	// Expires is when the group's time to live is over, in nanoseconds since 1970,
	// or was over, of OpExpire. 0 is never.
	Expires int64
	// Forget is when a group that has expired is forgotten, in nanoseconds since 1970.
	// 0 is at once. Only OpExpire has it.
	Forget int64
	// Refusal says why the last refused push was refused, for people. It is "" if
	// none was, or if that is unknown.
	Refusal string
	// Origin says where the change came from, for people: "http 192.0.2.1".
	Origin string
}

// ByExpiry reports whether a time to live led to the event, and no client.
func (e *Event) ByExpiry() bool { return e.Origin == originExpiry }
