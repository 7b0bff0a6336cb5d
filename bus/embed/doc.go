// Package embed is the NATS server within the gateway's process: its options, its
// data directory with everything in it, its log, and the routes by which the servers
// of several gateways form a cluster. It knows nothing of what streams contain, but
// for the name of one whose files it must not lose.
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
