package embed

import "testing"

func TestRoomForDeletesIsKept(t *testing.T) {
	f := func(d Disk, bytes int, want bool) {
		t.Helper()
		if got := d.Takes(bytes); got != want {
			t.Errorf("%+v takes %d: %v, want %v", d, bytes, got, want)
		}
	}
	f(Disk{Free: 100, Reserve: 10}, 95, true)
	f(Disk{Free: 100, Reserve: 10}, 96, false)
	f(Disk{Free: 10, Reserve: 10}, 5, true)
	f(Disk{Free: 9, Reserve: 10}, 0, false)
	d, err := diskOf(t.TempDir())
	if err != nil || d.Free <= 0 || d.Reserve < minReserve || d.Reserve > maxReserve {
		t.Errorf("the disk is %+v, %v", d, err)
	}
	if _, err := diskOf("/nowhere/at/all"); err == nil {
		t.Error("a directory that is not there has room")
	}
}
