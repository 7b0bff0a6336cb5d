// Package store holds the state of a gateway in memory: the groups, the index
// that tells whether a push is consistent with them, and the blocks of text
// that a scrape sends. It does no I/O and knows no clock.
//
// # Basics
//
// A group is what one grouping key has pushed: a set of metric families. The
// state changes in one place only, Store.Apply, which takes the events of the
// stream in their order. Whether a change may become an event is judged before
// by a Draft, against the store at a known sequence plus the changes that the
// same draft has accepted.
//
// A family of a group is kept as one immutable block of canonical text. The
// index has for each family name a list of pages, each page a run of blocks
// sorted by grouping key. A View takes references to the pages under a read
// lock; its reader works outside of it, since whoever changes a page that a
// view may hold copies it first.
//
// # Caveats
//
// Slices that come out of this package are shared and must not be changed. A
// View may be held for as long as it is needed, at the price of the memory of
// what has been replaced since. The cost of judging and applying depends on the
// push, not on what is stored, and a refusal can name the group in the way.
package store
