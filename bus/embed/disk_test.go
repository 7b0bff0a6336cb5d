package embed

import (
	"os"
	"path/filepath"
	"testing"
)

// A server that has much on the disk may store at least that: its own limit leaves
// out what it has.
func TestWhatIsStoredCountsInTheLimit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	free := storeLimit(dir)
	if free <= 0 {
		t.Fatalf("the limit is %d with nothing stored", free)
	}
	stored := filepath.Join(dir, serverDir, "some", "where")
	if err := os.MkdirAll(stored, 0o750); err != nil {
		t.Fatal(err)
	}
	// A file with a hole takes no room.
	const size = 1 << 36
	if err := os.WriteFile(filepath.Join(stored, "1.blk"), nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(stored, "1.blk"), size); err != nil {
		t.Fatal(err)
	}
	if limit := storeLimit(dir); limit < size+free/2 { // others may use the disk meanwhile
		t.Errorf("the limit is %d with %d stored, and %d without", limit, size, free)
	}
}
