package bus

import "testing"

func TestCopiesFollowTheSize(t *testing.T) {
	for size, want := range map[int]int{0: 1, 1: 1, 2: 2, 3: 3, 4: 3, 5: 5, 9: 5} {
		if got := copies(size); got != want {
			t.Errorf("a cluster of %d has %d copies, want %d", size, got, want)
		}
	}
}
