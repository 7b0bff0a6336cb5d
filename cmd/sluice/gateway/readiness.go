package gateway

import (
	"fmt"

	"sluice/bus"
	"sluice/exposer"
	"sluice/ingest"
	"sluice/store"
)

// readiness knows what a gateway can do at the moment. All of it can be asked
// from many goroutines at once.
type readiness struct {
	bus     *bus.Bus
	store   *store.Store
	expirer *ingest.Expirer
	judge   *exposer.Judge
}

// caughtUp tells whether the store has all that the stream had when the gateway
// started, so that it can be shown.
func (r *readiness) caughtUp() bool {
	return r.bus.Status().Ready && !notImported(r.store) && r.expirer.Swept()
}

// waitingFor says what the gateway is waiting for before it can take pushes; ""
// is nothing.
func (r *readiness) waitingFor() string {
	return notReady(r.bus.Status(), notImported(r.store), r.expirer.Swept())
}

// notForPushes says why the gateway is not ready for pushes; "" is ready.
func (r *readiness) notForPushes() string {
	if reason := r.waitingFor(); reason != "" {
		return reason
	}
	return r.judge.Inconsistent()
}

// notForScrapes says why the gateway is not ready for scrapes, which go on with
// what there is when the stream cannot be reached; "" is ready.
func (r *readiness) notForScrapes() string {
	if reason := notReady(forScrapes(r.bus.Status()), notImported(r.store), r.expirer.Swept()); reason != "" {
		return reason
	}
	return r.judge.Inconsistent()
}

// forScrapes returns a status without what stands in the way of pushes only.
func forScrapes(status bus.Status) bus.Status {
	status.Connected, status.Restoring, status.Disk = true, "", bus.Status{}.Disk
	return status
}

// notReady says why a gateway is not ready, "" if it is.
func notReady(status bus.Status, importing, swept bool) string {
	switch {
	case !status.Ready:
		if status.Waiting != "" {
			return status.Waiting
		}
		return fmt.Sprintf("replaying the stream: %d of %d events", status.ReplayDone, status.ReplayTotal)
	case importing:
		return "the import of a persistence file is not complete: it goes on, or needs a gateway with --persistence.file"
	case !status.Connected:
		return "the stream cannot be reached"
	case status.Restoring != "":
		return "the stream was changed from outside and is being restored: " + status.Restoring
	case status.Disk.Short():
		return fmt.Sprintf("the disk of the data directory is full: %d bytes are free, and %d are kept for deletes", status.Disk.Free, status.Disk.Reserve)
	case !swept:
		return "groups are expiring whose time was over while no gateway ran"
	}
	return ""
}
