package embed

import (
	"errors"
	"os"
	"syscall"
)

const (
	// probeBytes must fit on the disk before the server is started again.
	probeBytes = 1 << 20
	// A sixteenth of the disk is kept for deletes, and for what the server writes to
	// tidy up, within these bounds in bytes. A delete takes about 300 bytes.
	minReserve  = probeBytes
	maxReserve  = 64 << 20
	reservePart = 16
	// noStoreLimit is the server's own limit for what it stores, in bytes. It takes
	// deletes for pushes and does not see that room appears, so that it must not be
	// reached: Disk is the limit instead.
	noStoreLimit = 1 << 60
)

// probe tells whether probeBytes fit on the disk.
func probe(dir string) (err error) {
	f, err := os.CreateTemp(dir, "probe.*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, probeBytes))
	return errors.Join(err, f.Sync(), f.Close())
}

// Disk is the room on the disk of the data directory, in bytes.
type Disk struct {
	// Free is what this process may write.
	Free int64
	// Reserve is what is kept for deletes.
	Reserve int64
}

// Disk returns the room as it is now. It asks the file system, which takes about a
// microsecond.
func (e *Server) Disk() (Disk, error) { return diskOf(e.cfg.DataDir) }

func diskOf(dir string) (Disk, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return Disk{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	size := int64(stat.Blocks) * int64(stat.Bsize)
	return Disk{Free: int64(stat.Bavail) * int64(stat.Bsize), Reserve: min(max(size/reservePart, minReserve), maxReserve)}, nil
}

// Short tells whether there is no room for pushes.
func (d Disk) Short() bool { return d.Free < d.Reserve }

// Takes tells whether there is room for a number of bytes which is no delete.
func (d Disk) Takes(bytes int) bool { return !d.Short() && d.Free-int64(bytes) >= d.Reserve/2 }
