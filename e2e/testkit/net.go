package testkit

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// FreeAddress returns an address of the loopback interface that nobody listens on.
// Its port is below those that systems hand out by themselves, so that it stays free
// while a server that had it is down.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	return FreeAddresses(tb, 1)[0]
}

// FreeAddresses is FreeAddress for n different addresses.
func FreeAddresses(tb testing.TB, n int) []string {
	tb.Helper()
	addresses := make([]string, 0, n)
	for range 100 * n {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000)))
		if err != nil {
			continue // somebody has it
		}
		defer l.Close() // all are held until the end, so no two are the same
		if addresses = append(addresses, l.Addr().String()); len(addresses) == n {
			return addresses
		}
	}
	tb.Fatalf("there are no %d free addresses", n)
	return nil
}
