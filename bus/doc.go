// Package bus connects the gateway to its stream: it starts the embedded NATS server
// (package embed) or connects to an external one, sets the stream up, appends events
// (package event) and follows them into the store. It judges nothing, and knows
// nothing of the server's files.
//
// # Basics
//
// The stream holds decisions, and the store holds what the stream says. Append
// puts events behind a known sequence or, if another gateway got in between,
// not at all. Follow replays the newest event of each group into the store and
// goes on with what is published from then on, for ever: it survives lost
// connections, restarted servers, damaged events and replaced streams. docs/events.md
// specifies what an event looks like.
//
// # Caveats
//
// A result of Append is known only once the stream has told it: if it does not
// tell in time, Append returns ErrUnavailable, and the events may still land.
// The store changes only in Follow, and when Append applies its own events. A caller that
// has appended waits with Wait until the store has its event.
//
// Somebody who runs NATS can remove, purge or replace the stream by hand. That is not an
// event, and gateways undo it: those that are running write again what the stream has
// lost. To remove groups use wipe and delete.
package bus
