package store

import (
	"iter"

	"github.com/prometheus/common/model"
)

// escapable is a name, or several of them, that has an escaped form.
type escapable[N any] interface {
	~string
	escape(scheme model.EscapingScheme) N
}

// aliases finds names by their escaped forms. Names that escaping leaves as they
// are must not be added, so aliases are empty where all names are legacy names.
// The zero value and nil are empty.
type aliases[N escapable[N]] struct {
	holders map[N]int           // how often each name was added
	forms   map[N]map[N]schemes // by escaped form: the names that become it, and with which schemes
}

func (a *aliases[N]) empty() bool { return a == nil || len(a.holders) == 0 }

// add counts one more holder of a name.
func (a *aliases[N]) add(name N) {
	if a.holders == nil {
		a.holders, a.forms = map[N]int{}, map[N]map[N]schemes{}
	}
	if a.holders[name]++; a.holders[name] > 1 {
		return
	}
	for _, scheme := range escapingSchemes {
		form := name.escape(scheme)
		if a.forms[form] == nil {
			a.forms[form] = map[N]schemes{}
		}
		a.forms[form][name] |= only(scheme)
	}
}

// remove counts one holder less.
func (a *aliases[N]) remove(name N) {
	if a.holders[name]--; a.holders[name] > 0 {
		return
	}
	delete(a.holders, name)
	for _, scheme := range escapingSchemes {
		form := name.escape(scheme)
		if delete(a.forms[form], name); len(a.forms[form]) == 0 {
			delete(a.forms, form)
		}
	}
}

// of returns the names that become the form with one of the schemes, and with
// which of them.
func (a *aliases[N]) of(form N, among schemes) iter.Seq2[N, schemes] {
	return func(yield func(N, schemes) bool) {
		if a.empty() {
			return
		}
		for name, by := range a.forms[form] {
			if by &= among; by != 0 && !yield(name, by) {
				return
			}
		}
	}
}
