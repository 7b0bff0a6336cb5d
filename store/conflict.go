package store

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
)

// ErrStale is returned by a Draft if the store has moved on since it was begun:
// the changes have to be judged again by a new one.
var ErrStale = errors.New("the store has moved on since the draft was begun")

// ErrImporting is returned by a Draft while an import is not complete: until
// then its events are the only ones, except for a wipe, which ends it.
var ErrImporting = errors.New("an import is not complete")

// TooManyGroups is the refusal of a push that would make one group more than
// there may be.
type TooManyGroups struct {
	// Limit is how many there may be.
	Limit int
	// Job is the job that may have no more, "" if it is all groups together.
	Job string
}

// Error tells the limit.
func (e *TooManyGroups) Error() string {
	if e.Job != "" {
		return fmt.Sprintf("job %.100q has %d groups already, as many as it may have", e.Job, e.Limit)
	}
	return fmt.Sprintf("there are %d groups already, as many as there may be", e.Limit)
}

// maxNamed is how many offenders the text of a Conflict names in full. One
// push can meet thousands, and nobody reads on after the first few.
const maxNamed = 3

// Conflict is the refusal of a push that is inconsistent with what is stored,
// with the gateway's own families, or in itself.
type Conflict struct {
	// Offenders says for each family that cannot be accepted why, the first
	// ones only.
	Offenders []Offender
	// Count is the number of all families that cannot be accepted, Own of those for
	// which one of the gateway's own families stands in the way.
	Count, Own int
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
	// Alias says that the names become the same only when they are escaped, nil that
	// they are the same.
	Alias *Alias
}

// Bounds in bytes of what a text quotes, so that the first offender always fits.
const (
	maxNameText   = 100
	maxKeyText    = 200
	maxLabelsText = 200
	maxConflict   = 640
)

func (o Offender) String() string {
	where := "this push"
	switch {
	case o.Own:
		where = "the gateway itself"
	case !o.Group.IsZero():
		where = "group " + clip(o.Group.Path(), maxKeyText)
	}
	name := nameText(o.Name)
	switch {
	case o.Alias != nil:
		return o.Alias.text(o, where)
	case o.Labels != "":
		return fmt.Sprintf("series %s{%s} is already in %s", name, clip(o.Labels, maxLabelsText), where)
	case o.Other == o.Name:
		return fmt.Sprintf("%s is %s in this push, but %s in %s", name, withArticle(o.Type), withArticle(o.OtherType), where)
	default:
		return fmt.Sprintf("%s %s collides with %s %s in %s", typeWord(o.Type), name, typeWord(o.OtherType), nameText(o.Other), where)
	}
}

// withArticle is a type's name as a noun.
func withArticle(typ dto.MetricType) string {
	if typ == dto.MetricType_UNTYPED {
		return "an untyped"
	}
	return "a " + typeWord(typ)
}

// nameText is a metric name for a text: quoted if it is no legacy name.
func nameText(name string) string {
	if model.LegacyValidation.IsValidMetricName(name) {
		return clip(name, maxNameText)
	}
	return strconv.Quote(clip(name, maxNameText))
}

// clip shortens a text to so many bytes.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// Error says in its first line how many families are in the way and names the
// first of them, and in a second one what can be done.
func (c *Conflict) Error() string {
	var b strings.Builder
	switch {
	case c.Count > 1 && c.Own == c.Count:
		fmt.Fprintf(&b, "%d families of this push collide with the gateway's own: ", c.Count)
	case c.Count > 1 && c.Own > 0:
		fmt.Fprintf(&b, "%d conflicts, %d of them with the gateway's own families: ", c.Count, c.Own)
	case c.Count > 1:
		fmt.Fprintf(&b, "%d conflicts: ", c.Count)
	}
	named := 0
	for _, o := range c.Offenders {
		text := o.String()
		if named > 0 {
			if b.Len()+len(text) > maxConflict {
				break
			}
			b.WriteString("; ")
		}
		b.WriteString(text)
		named++
	}
	if more := c.Count - named; more > 0 {
		fmt.Fprintf(&b, "; and %d more", more)
	}
	if cure := c.cure(); cure != "" {
		b.WriteString("\n" + cure)
	}
	return b.String()
}

// cure says what can be done about the first offender.
func (c *Conflict) cure() string {
	if len(c.Offenders) == 0 {
		return ""
	}
	switch first := c.Offenders[0]; {
	case first.Alias != nil:
		return first.Alias.cure(first)
	case first.Own:
		return "Keep the TYPE lines, or leave out what the gateway exposes itself, such as go_... and process_..."
	case first.Group.IsZero():
		return "A summary or histogram x has series x_sum, x_count and perhaps x_bucket: give one of the two another name."
	case first.Labels != "":
		return "Push to that group, add a label that tells the two apart, or delete that group first."
	default:
		return "Push one type everywhere, under another name if that is not possible, or delete that group first."
	}
}

func (c *Conflict) add(o Offender) {
	c.Count++
	if o.Own {
		c.Own++
	}
	if len(c.Offenders) < maxNamed {
		c.Offenders = append(c.Offenders, o)
	}
}
