package testkit

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"testing"
)

// ports counts the ports that were tried in this process. It is the one variable of the
// package: tests that run in parallel must not get the same address, even while nobody
// listens there yet.
var ports atomic.Uint32

// FreeAddress returns an address of the loopback interface that nobody listens on. No
// other call in this process returns it until all ports were used. The port is below
// those that systems hand out by themselves, so that it stays free while a server that
// had it is down.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	return FreeAddresses(tb, 1)[0]
}

// FreeAddresses is FreeAddress for n different addresses.
func FreeAddresses(tb testing.TB, n int) []string {
	tb.Helper()
	addresses := make([]string, 0, n)
	for range 100 * n {
		// Processes begin at different ports.
		const stride = 1009 // addresses that one process may use before it meets another
		port := 20_000 + (uint32(os.Getpid())*stride+ports.Add(1))%12_000
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
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
