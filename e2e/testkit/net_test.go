package testkit

import (
	"net"
	"slices"
	"testing"
)

func TestFreeAddresses(t *testing.T) {
	addresses := FreeAddresses(t, 20)
	for _, address := range addresses {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Error(err)
			continue
		}
		defer l.Close()
	}
	slices.Sort(addresses)
	if n := len(slices.Compact(addresses)); n != 20 {
		t.Errorf("%d addresses are different", n)
	}
}
