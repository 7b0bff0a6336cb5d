package store

import dto "github.com/prometheus/client_model/go"

// Settings of a Store.
type Settings struct {
	// Reserved are the families that the gateway exposes itself, by name: no
	// pushed family may have another type.
	Reserved map[string]dto.MetricType
}

// Store holds the groups (under construction: these are its signatures).
type Store struct{}

// New returns an empty store.
func New(Settings) *Store { return &Store{} }

// Fresh returns an empty store with the same settings.
func (s *Store) Fresh() *Store { return &Store{} }

// Replace takes over the content of a store from Fresh.
func (s *Store) Replace(fresh *Store) {}

// Apply applies the event at a stream sequence.
func (s *Store) Apply(seq uint64, e Event) {}

// Skip advances the sequence without an event.
func (s *Store) Skip(seq uint64) {}

// Sequence is the last sequence that was applied or skipped.
func (s *Store) Sequence() uint64 { return 0 }

// Groups is the number of groups.
func (s *Store) Groups() int { return 0 }
