// Package importfile imports the persistence file of a Pushgateway into an empty
// stream, once.
//
// # Basics
//
// The file is read and judged as a whole before anything is written: all groups are
// imported, or none. Then the groups become events, which are appended in batches.
// One event begins the import, another one completes it. While only the first one is
// in the stream, no gateway accepts a push or answers a scrape, and a gateway that
// has the file may begin again from the start. So nobody takes the part that a crash
// leaves for the whole, and only one of several gateways imports.
//
// # Caveats
//
// The file is never changed. During the import all its events are in memory: about as
// many bytes as a scrape of that Pushgateway.
package importfile
