package api

import "sluice/store"

// State is how a group is doing, in one word. Where several fit, the first
// one of dead, never, failing and up counts.
type State string

// The states.
const (
	StateFailing State = "failing" // its last push was refused
	StateNever   State = "never"   // no push was accepted
	StateDead    State = "dead"    // it has expired
	StateUp      State = "up"
)

// rank is the place of a state in a list: what people have to look at comes first.
func (s State) rank() int64 {
	switch s {
	case StateFailing:
		return 0
	case StateNever:
		return 1
	case StateDead:
		return 2
	}
	return 3
}

// rememberedRefusals are the refusals that this gateway remembers, by the path of the
// group. A push that cannot be read leaves no other trace.
type rememberedRefusals map[string]store.Refusal

func (a *API) rememberedRefusals() rememberedRefusals {
	recent := a.cfg.Refusals()
	remembered := make(rememberedRefusals, len(recent))
	for _, r := range recent {
		remembered[r.Key.Path()] = r
	}
	return remembered
}

// state returns the state of a group.
func (n rememberedRefusals) state(g *store.Group) State {
	switch {
	case g.Dead():
		return StateDead
	case g.PushTime() == 0:
		return StateNever
	case g.FailTime() >= g.PushTime():
		return StateFailing
	}
	if len(n) > 0 {
		if r, ok := n[g.Key().Path()]; ok && r.Time > g.PushTime() {
			return StateFailing
		}
	}
	return StateUp
}
