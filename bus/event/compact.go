package event

import "sluice/store"

// Compact returns what a codec makes of an event that it has encoded and decoded,
// without doing either. The texts of a merged group are copied into one piece of
// memory: they come from several pushes, and each would keep the whole text of its
// push.
func Compact(e store.Event) store.Event {
	e.Origin = HeaderText(e.Origin)
	if e.Refusal != "" {
		e.Refusal = parseRefusal(refusalHeader(e.Refusal))
	}
	if e.Op == store.OpPut || len(e.Families) == 0 {
		return e
	}
	n := 0
	for i := range e.Families {
		n += len(e.Families[i].Text)
	}
	text := make([]byte, 0, n)
	families := make([]store.Family, len(e.Families))
	for i, f := range e.Families {
		start := len(text)
		text = append(text, f.Text...)
		if f.Text != nil {
			f.Text = text[start:len(text):len(text)]
		}
		families[i] = f
	}
	e.Families = families
	return e
}
