// Package event is the format of the stream's events: which subject a group has,
// which headers an event has, and how its families are written. It encodes and
// decodes messages and knows no connections. docs/events.md specifies the format.
//
// Events of version 1 are in streams of users, so they must be read for ever.
// testdata has one of each kind.
package event
