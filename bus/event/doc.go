// Package event is the format of the stream's events: which subject a group has,
// which headers an event has, how its families are written, and what a damaged event
// looks like. Codec encodes and decodes messages. docs/events.md specifies the
// format.
//
// The package opens no connections and no files, and judges nothing: it knows neither
// the stream nor its sequences.
//
// Events of version 1 are in streams of users, so they must be read for ever.
// testdata has one of each kind.
package event
