package store

// Refusal is a push or delete that was refused, as people are shown it.
type Refusal struct {
	// Key is the group that it was for. The group may not exist.
	Key Key
	// Time is that of the refusal, in nanoseconds since 1970.
	Time int64
	// Status is the HTTP status of the answer, 0 if unknown.
	Status int
	// Reason is the value of the label reason in sluice_changes_refused_total, "" if
	// unknown.
	Reason string
	// Message is the text of the answer.
	Message string
	// Origin says where it came from, for people: "http 192.0.2.1".
	Origin string
}
