package store

import (
	"fmt"
	"strconv"

	"github.com/prometheus/common/model"
)

// Alias says of an Offender that the two names in question differ, but become the
// same when a scraper has them escaped.
type Alias struct {
	// Form is what both become, Scheme how a scraper must ask for that.
	Form   string
	Scheme model.EscapingScheme
	// Names are two labels of one series, or of the grouping key if the Offender
	// has no name. If the second one is empty, the first one becomes the label that
	// stands for the metric's name.
	Names []string
	// Labels is the text of the labels of the other series.
	Labels string
	// Many says that too many sets of labels become the same one.
	Many bool
}

// maxAliasLabels bounds in bytes what a text quotes of the labels of each series: there
// are two of them.
const maxAliasLabels = 120

// text is the Offender as a text. where is where the other name is.
func (a *Alias) text(o Offender, where string) string {
	name := nameText(o.Name)
	what := ""
	switch {
	case a.Many && o.Name == "":
		what = fmt.Sprintf("more than %d sets of grouping labels become %s", maxRespellings, clip(a.Form, maxNameText))
	case a.Many:
		what = fmt.Sprintf("more than %d sets of labels of %s become %s", maxRespellings, name, clip(a.Form, maxNameText))
	case len(a.Names) > 0 && a.Names[1] == "":
		what = fmt.Sprintf("label %s%s becomes %s, which is the metric's own name", labelNameText(a.Names[0]), a.of(o), a.Form)
	case len(a.Names) > 0:
		what = fmt.Sprintf("labels %s and %s%s both become %s", labelNameText(a.Names[0]), labelNameText(a.Names[1]), a.of(o), clip(a.Form, maxNameText))
	case o.Name == "":
		what = fmt.Sprintf("the grouping labels {%s} become the same as those of %s", clip(o.Labels, maxAliasLabels), where)
	case o.Labels != "":
		what = fmt.Sprintf("series %s{%s} becomes the same as {%s} in %s", name, clip(o.Labels, maxAliasLabels), clip(a.Labels, maxAliasLabels), where)
	default:
		what = fmt.Sprintf("%s %s and %s %s in %s both become %s", typeWord(o.Type), name, typeWord(o.OtherType), nameText(o.Other), where, clip(a.Form, maxNameText))
	}
	return fmt.Sprintf("%s when names are escaped (escaping=%s)", what, a.Scheme)
}

// of says of what the labels are.
func (a *Alias) of(o Offender) string {
	if o.Name == "" {
		return " of the grouping key"
	}
	return " of " + nameText(o.Name)
}

// cure says what can be done about it.
func (a *Alias) cure(o Offender) string {
	const why = "Scrapers that do not ask for UTF-8 names, such as Prometheus 2, get all other names escaped. "
	if o.Group.IsZero() {
		return why + "Rename one of the two."
	}
	return why + "Rename one of the two, or delete that group first."
}

// labelNameText is a label name for a text: quoted if it is no legacy name.
func labelNameText(name string) string {
	if isLegacyLabel(name) {
		return clip(name, maxNameText)
	}
	return strconv.Quote(clip(name, maxNameText))
}
