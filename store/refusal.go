package store

// Refusal is a push or delete that was refused, for people who look for it.
type Refusal struct {
	// Key is the group that it was for. There may be no such group.
	Key Key
	// Time of the refusal in nanoseconds since 1970.
	Time int64
	// Status is the HTTP status that it was answered with, 0 if unknown.
	Status int
	// Reason is the word for its kind in sluice_changes_refused_total, "" if
	// unknown.
	Reason string
	// Message is the text of the answer.
	Message string
	// Origin says where it came from, for people: "http 192.0.2.1".
	Origin string
}
