package api

import "sluice/store"

// groupState is how a group is doing, in one word. Where several fit, the first
// one of dead, never, failing and up counts.
type groupState string

const (
	stateFailing groupState = "failing" // its last push was refused
	stateNever   groupState = "never"   // no push was accepted
	stateDead    groupState = "dead"    // it has expired
	stateUp      groupState = "up"
)

// rank is the place of a state in a list: what is to be looked at comes first.
func (s groupState) rank() int64 {
	switch s {
	case stateFailing:
		return 0
	case stateNever:
		return 1
	case stateDead:
		return 2
	}
	return 3
}

// notedRefusals are the refusals that this gateway remembers, by the path of the
// group: those that cannot be read leave no other trace.
type notedRefusals map[string]store.Refusal

func (a *API) notedRefusals() notedRefusals {
	recent := a.recent()
	noted := make(notedRefusals, len(recent))
	for _, r := range recent {
		noted[r.Key.Path()] = r
	}
	return noted
}

// state returns the state of a group.
func (n notedRefusals) state(g *store.Group) groupState {
	switch {
	case g.Dead():
		return stateDead
	case g.PushTime() == 0:
		return stateNever
	case g.FailTime() >= g.PushTime():
		return stateFailing
	}
	if len(n) > 0 {
		if r, ok := n[g.Key().Path()]; ok && r.Time > g.PushTime() {
			return stateFailing
		}
	}
	return stateUp
}
