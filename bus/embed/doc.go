// Package embed is the NATS server within the gateway's process: its options, its
// data directory with everything in it, its login, its log, and the routes by which
// the servers of several gateways form a cluster.
//
// The package knows nothing of groups, events or pushes. Of streams it knows one name:
// that of the stream whose files must not be lost.
//
// # Caveats
//
// nats-server removes a stream whose files it cannot read, and goes on without it.
// So Start gives the files a second name until the server has read them, and puts
// them back if it has not.
//
// A server that could not write refuses everything until it is started again
// (Failed, Restart).
package embed
