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

// Addresses that nobody listens on yet are not handed out twice.
func TestFreeAddressesAreDifferent(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		address := FreeAddress(t)
		if seen[address] {
			t.Fatalf("%s is handed out twice", address)
		}
		seen[address] = true
	}
}
