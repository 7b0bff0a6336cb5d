package store

import (
	"errors"
	"fmt"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// ErrStale is returned by a Draft if the store has moved on since it was begun:
// the changes have to be judged again by a new one.
var ErrStale = errors.New("the store has moved on since the draft was begun")

// ErrImporting is returned by a Draft while an import is not complete: until
// then its events are the only ones, except for a wipe, which ends it.
var ErrImporting = errors.New("an import is not complete")

// maxNamed is how many offenders the text of a Conflict names in full. One
// push can meet thousands, and nobody reads on after the first few.
const maxNamed = 3

// Conflict is the refusal of a push that is inconsistent with what is stored,
// with the gateway's own families, or in itself.
type Conflict struct {
	// Offenders says for each family that cannot be accepted why, the first
	// ones only.
	Offenders []Offender
	// Count is the number of all families that cannot be accepted.
	Count int
}

// Offender is one reason against a push.
type Offender struct {
	// Name is the pushed family, Type its type.
	Name string
	Type dto.MetricType
	// Other is the family in the way, OtherType its type.
	Other     string
	OtherType dto.MetricType
	// Group is the grouping key of the group in the way, the zero Key if it is
	// the gateway itself or the push itself.
	Group Key
	// Labels is the text of the labels of a series that two groups would hold.
	Labels string
	// Own says that the family in the way is one of the gateway's own.
	Own bool
}

func (o Offender) String() string {
	where := "this push"
	switch {
	case o.Own:
		where = "the gateway itself"
	case !o.Group.IsZero():
		where = "group " + o.Group.Path()
	}
	switch {
	case o.Labels != "":
		return fmt.Sprintf("series %s{%s} is already in %s", o.Name, o.Labels, where)
	case o.Other == o.Name:
		return fmt.Sprintf("%s is a %s in this push, but a %s in %s", o.Name, typeWord(o.Type), typeWord(o.OtherType), where)
	default:
		return fmt.Sprintf("%s %s collides with %s %s in %s", typeWord(o.Type), o.Name, typeWord(o.OtherType), o.Other, where)
	}
}

// Error says how many families are in the way and names the first of them.
func (c *Conflict) Error() string {
	var b strings.Builder
	if c.Count > 1 {
		fmt.Fprintf(&b, "%d conflicts: ", c.Count)
	}
	for i, o := range c.Offenders {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(o.String())
	}
	if more := c.Count - len(c.Offenders); more > 0 {
		fmt.Fprintf(&b, "; and %d more", more)
	}
	return b.String()
}

func (c *Conflict) add(o Offender) {
	c.Count++
	if len(c.Offenders) < maxNamed {
		c.Offenders = append(c.Offenders, o)
	}
}
