package embed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// probeBytes must fit on the disk before the server is started again.
const probeBytes = 1 << 20

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

// storeLimit returns how many bytes the server may store: what it has already and
// three quarters of what is free, so that a full disk is told before it is one.
// The server's own limit leaves out what it has. 0 leaves it to the server.
func storeLimit(dir string) int64 {
	var disk syscall.Statfs_t
	for at := dir; syscall.Statfs(at, &disk) != nil; at = filepath.Dir(at) {
		if at == filepath.Dir(at) {
			return 0
		}
	}
	limit := int64(disk.Bavail) * int64(disk.Bsize) / 4 * 3
	_ = filepath.WalkDir(filepath.Join(dir, serverDir), func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // what cannot be read is not counted
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			limit += info.Size()
		}
		return nil
	})
	return limit
}
