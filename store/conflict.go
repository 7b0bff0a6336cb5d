package store

import (
	"fmt"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
)

// maxNamed is how many offenders the text of a Conflict names in full. A push can have
// thousands, and nobody reads them all.
const maxNamed = 3

// Conflict is the refusal of a push that is inconsistent with what is stored,
// with the families of the gateway itself, or in itself.
type Conflict struct {
	// Offenders says why families cannot be accepted: the first ones only.
	Offenders []Offender
	// Count is the number of all families that cannot be accepted. Self is how many
	// of them collide with a family that the gateway exposes itself.
	Count, Self int
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
	// Self says that the gateway exposes the family in the way itself.
	Self bool
	// Alias says that the names become the same only when they are escaped, nil that
	// they are the same.
	Alias *Alias
}

// Bounds in bytes of what a text quotes. The first offender always fits.
const (
	maxNameText   = 100
	maxKeyText    = 200
	maxLabelsText = 200
	maxConflict   = 640
)

func (o Offender) String() string {
	where := "this push"
	switch {
	case o.Self:
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

// withArticle returns the word for a type with its article.
func withArticle(typ dto.MetricType) string {
	if typ == dto.MetricType_UNTYPED {
		return "an untyped"
	}
	return "a " + typeWord(typ)
}

// nameText returns a metric name as texts show it: in quotes if it is not a legacy name.
func nameText(name string) string {
	if model.LegacyValidation.IsValidMetricName(name) {
		return clip(name, maxNameText)
	}
	return strconv.Quote(clip(name, maxNameText))
}

// clip shortens a text to most bytes.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// Error names the first offenders in its first line, with the number of all if there are
// more. Its second line says what can be done.
func (c *Conflict) Error() string {
	var b strings.Builder
	switch {
	case c.Count > 1 && c.Self == c.Count:
		fmt.Fprintf(&b, "%d families of this push collide with the gateway's own: ", c.Count)
	case c.Count > 1 && c.Self > 0:
		fmt.Fprintf(&b, "%d conflicts, %d of them with the gateway's own families: ", c.Count, c.Self)
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
	case first.Self:
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
	if o.Self {
		c.Self++
	}
	if len(c.Offenders) < maxNamed {
		c.Offenders = append(c.Offenders, o)
	}
}
