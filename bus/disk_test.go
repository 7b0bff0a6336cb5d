package bus

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"sluice/bus/embed"
	"sluice/e2e/testkit"
)

// smallDisk is a file system of some megabytes of its own.
func smallDisk(t *testing.T, megabytes int) (dir string, enlarge func(megabytes int)) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", megabytes)); err != nil {
		t.Fatalf("cannot mount a tmpfs, for which this test needs root (CAP_SYS_ADMIN): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir, func(megabytes int) {
		t.Helper()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%dm", megabytes)); err != nil {
			t.Fatal(err)
		}
	}
}

// fill pushes groups until the disk takes no more, large ones first, and returns them.
func fill(t *testing.T, g *gateway) (paths []string) {
	t.Helper()
	for _, size := range []int{100_000, 1000} {
		var err error
		for n := 0; err == nil; n++ {
			e := eventOf(0, size)
			path := fmt.Sprintf("/job/j/size/%d/n/%d", size, n)
			if e.Key = testkit.MustKey(path); n > 20_000 {
				t.Fatal("the disk is never full")
			}
			if _, err = g.tryPush(e); err == nil {
				paths = append(paths, path)
			}
		}
		if !errors.Is(err, ErrStreamFull) {
			t.Fatalf("a push of %d bytes: %v", size, err)
		}
	}
	if s := g.Status(); !s.Disk.Short() || !s.Connected {
		t.Errorf("the gateway says %+v", s)
	}
	return paths
}

// On a full disk groups can be deleted, and room is seen when it is there.
func TestAFullDiskTakesDeletesAndSeesRoom(t *testing.T) {
	dir, enlarge := smallDisk(t, 6)
	g := startGateway(t, Config{Server: embed.Config{DataDir: dir}})
	for _, path := range fill(t, g) {
		g.push(t, deleted(path))
	}
	if n := g.store.Groups(); n != 0 {
		t.Errorf("%d groups are left", n)
	}
	enlarge(60)
	if g.Status().Disk.Short() {
		t.Error("more room is not seen")
	}
	g.push(t, eventOf(0, 100_000))
	if strings.Contains(g.log.String(), "cannot be written") {
		t.Error("the server had to be started again")
	}
}

// A wipe makes room by itself.
func TestAWipeEmptiesAFullDisk(t *testing.T) {
	dir, _ := smallDisk(t, 6)
	g := startGateway(t, Config{Server: embed.Config{DataDir: dir}})
	fill(t, g)
	g.push(t, wipe())
	testkit.Eventually(t, "there is room", func() bool { return !g.Status().Disk.Short() })
	g.push(t, eventOf(0, 100_000))
}
