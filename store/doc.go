// Package store holds the state of a gateway in memory: the groups, the index that
// says whether a push is consistent with them, and the blocks of text that a scrape
// sends. It does no I/O and reads no clock.
//
// # Basics
//
// A group is what was pushed under one grouping key: a set of metric families. Only
// Store.Apply changes the state. It takes the events of the stream in their order. A
// Draft judges beforehand whether a change may become an event. It judges against the
// store at a known sequence, plus the changes that the same draft has accepted.
//
// A family of a group is one immutable block of canonical text. For each family name
// the index has a list of pages. A page is a run of blocks, sorted by grouping key. A
// View takes references to the pages under a read lock, and is read without it: a
// page that a view may hold is copied before it changes.
//
// # Caveats
//
// Slices that this package returns are shared and must not be changed. A View may be
// held for any time. It keeps in memory what has been replaced since. The cost of
// judging and applying depends on the push, not on what is stored. Only a refusal may
// cost more: it names the group in the way.
package store
