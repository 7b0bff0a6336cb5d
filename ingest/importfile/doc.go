// Package importfile brings what a Pushgateway has kept in its persistence file
// into an empty stream, once.
//
// # Basics
//
// The file is read and judged as a whole before anything is written: it is taken
// as it is, or not at all. Then its groups become events in batches. The import
// is bracketed by two events of its own. While only the first one is in the
// stream, no gateway accepts a push and none shows a scrape, and whoever has a
// file may begin again from the start. So a crash in the middle leaves nothing
// that is taken for the whole, and of several gateways one imports.
//
// # Caveats
//
// The file is never written to. All events of it are in memory at once while it
// is imported: about as many bytes as the scrape of that Pushgateway has.
package importfile
