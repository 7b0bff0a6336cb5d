package bus

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sluice/bus/event"
	"sluice/store"
)

// The stream is the state, and nobody but the gateways may change it. But an operator
// of NATS can: remove the stream or purge it, put an older copy in its place, edit its
// settings. None of that is an event. So each second a gateway holds what the stream
// says of itself against what its store has, and restores what is missing (restore.go).

const (
	// lookPeriod is how often the stream is looked at.
	lookPeriod = time.Second
	// missingLooks is how many times one after the other a cluster must say that there
	// is no stream. One that has just elected a leader may not know of it yet.
	missingLooks = 3
)

// look is what the stream has said of itself.
type look struct {
	info *jetstream.StreamInfo // nil if there is no stream
	had  uint64                // what the store had before the stream was asked
	// groups is how many groups the store had, the dead ones too, if it had exactly what
	// the stream said it has. Else it is -1.
	groups int
}

// lookAtStream asks the stream. ok is false if it has told nothing to compare with.
func (b *Bus) lookAtStream(ctx context.Context, st *store.Store, missing *int) (l look, ok bool) {
	l = look{had: st.Sequence(), groups: -1}
	var err error
	if l.info, err = b.streamInfo(ctx); err != nil {
		l.info = nil
		if !errors.Is(err, jetstream.ErrStreamNotFound) {
			*missing = 0
			return l, false
		}
		*missing++
		return l, !b.clustered() || *missing >= missingLooks
	}
	*missing = 0
	if groups := st.Groups() + st.Dead(); l.info.State.LastSeq == l.had && st.Sequence() == l.had {
		l.groups = groups
	}
	return l, true
}

// interfered says what somebody else has done to the stream, "" for nothing.
func (f *follower) interfered(l look) string {
	switch {
	case l.info == nil:
		return "it was removed"
	case !l.info.Created.Equal(f.created):
		return "another stream has taken its place"
	}
	if err := unusable(l.info.Config); err != nil {
		return err.Error()
	}
	state := l.info.State
	if state.LastSeq >= l.had {
		f.backSince = time.Time{}
	} else if f.wentBack(l.info) {
		return wentBackText(l.had, state.LastSeq)
	}
	if l.groups < 0 || f.tracker.upTo != state.LastSeq {
		return ""
	}
	if want := uint64(l.groups + f.tracker.tombstonesAt(time.Now())); state.NumSubjects < want {
		return fmt.Sprintf("it has events of %d groups and deletes, and %d should be there", state.NumSubjects, want)
	}
	return ""
}

func wentBackText(had, last uint64) string {
	return fmt.Sprintf("its last sequence has gone back from %d to %d", had, last)
}

// wentBack tells whether it is certain that the stream ends before what the store has. In
// a cluster a former leader may say so that does not know yet that there is a new one.
func (f *follower) wentBack(info *jetstream.StreamInfo) bool {
	if f.backSince.IsZero() {
		f.backSince = time.Now()
	}
	return info.Cluster == nil || len(info.Cluster.Replicas) == 0 || time.Since(f.backSince) > latePatience
}

// edited tells whether somebody else has changed settings of the stream that are the same
// for all gateways. Those that flags choose may come from another gateway.
func (s *stream) edited(have jetstream.StreamConfig) bool {
	want := have
	s.cfg.applyTo(&want)
	want.MaxBytes, want.MaxMsgsPerSubject, want.Replicas = have.MaxBytes, have.MaxMsgsPerSubject, have.Replicas
	want.SubjectDeleteMarkerTTL = have.SubjectDeleteMarkerTTL
	return !reflect.DeepEqual(want, have)
}

// examineStream compares the stream with the store, and mends its settings. It returns
// what the follower has to do then, nil to go on.
func (f *follower) examineStream(ctx context.Context, l look) state {
	if why := f.interfered(l); why != "" {
		return f.beginRestore(why)
	}
	if !f.edited(l.info.Config) {
		return nil
	}
	f.counters.interferences.Add(1)
	f.limited.Warn("the settings of the stream were changed from outside")
	if _, err := f.setup.ensureStream(ctx); err != nil {
		f.limited.Warn("cannot change the settings of the stream back", "err", err)
	}
	return nil
}

// continues tells whether the stream goes on behind what was delivered last. Into an older
// copy that was put in its place, and has grown since, messages have come later than that
// one which stand before it.
func (f *follower) continues(ctx context.Context) (bool, error) {
	last := f.tracker.last
	if last.seq == 0 {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, f.patience())
	defer cancel()
	later, err := f.message(ctx, map[string]any{
		"start_time": time.Unix(0, last.time+1).UTC(), "next_by_subj": event.Subjects(f.cfg.Prefix),
	})
	if err != nil {
		return false, fmt.Errorf("cannot look whether the stream is the one that was there before: %w", err)
	}
	return later.Seq == 0 || later.Seq > last.seq, nil
}
