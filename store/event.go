package store

import (
	"fmt"
)

// Op says what an event does to its group, and what was asked for.
type Op uint8

// The operations. Put, Post and Fail carry the whole new state of the group:
// they differ only in what led to it.
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

// Event is one decision: what a group is from now on. It has been judged, so
// applying it cannot fail.
type Event struct {
	Op  Op
	Key Key // zero for OpWipe, OpImport and OpImported
	// PushTime and FailTime are the group's last accepted and last refused push
	// in nanoseconds since 1970, 0 for never.
	PushTime, FailTime int64
	// Families are the group's families sorted by name, each once.
	Families []Family
	// Expires is when the group's time to live is over, in nanoseconds since 1970;
	// 0 for never. Of OpExpire: when it was over.
	Expires int64
	// Forget is when a group that has expired is to be forgotten, in nanoseconds
	// since 1970. 0 for at once. Only for OpExpire.
	Forget int64
	// Refusal is why the last refused push was refused, for people, "" for never
	// or unknown.
	Refusal string
	// Origin says where the change came from, for people: "http 192.0.2.1".
	Origin string
}

// ByTime tells whether a time that was over has led to the event, and no client.
func (e *Event) ByTime() bool { return e.Origin == originExpiry }
