package e2e

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/e2e/gateway"
	"sluice/e2e/testkit"
)

// A serviceManager listens on a notification socket, as systemd does.
type serviceManager struct {
	address string // as in NOTIFY_SOCKET

	mu       sync.Mutex
	messages []string // each with its assignments as lines
}

// startServiceManager listens at a path or, if the address begins with @, at an
// abstract address.
func startServiceManager(t *testing.T, address string) *serviceManager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	m := &serviceManager{address: address}
	var reading sync.WaitGroup
	reading.Go(func() {
		buffer := make([]byte, 4096)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return // closed
			}
			m.mu.Lock()
			m.messages = append(m.messages, string(buffer[:n]))
			m.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		conn.Close()
		reading.Wait()
	})
	return m
}

// told returns all messages so far with an assignment that begins with this.
func (m *serviceManager) told(assignment string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.messages), func(message string) bool {
		return !strings.Contains("\n"+message, "\n"+assignment)
	})
}

// launchFor starts a gateway that notifies this service manager, and waits until it
// listens.
func (s *site) launchFor(m *serviceManager, env []string, flags ...string) *sluice {
	s.t.Helper()
	g := s.runWith(gateway.Options{
		Binary: binary,
		Env:    append([]string{"NOTIFY_SOCKET=" + m.address}, env...),
		Args:   append([]string{"serve", "--web.listen-address=127.0.0.1:0", "--bus.data-dir=" + filepath.Join(s.dir, "data"), "--bus.sync=interval"}, flags...),
	})
	g.waitListening()
	return g
}

// whenTold waits for a message.
func (m *serviceManager) whenTold(t *testing.T, assignment string) {
	t.Helper()
	testkit.Within(t, time.Minute, "told "+assignment, func() bool { return len(m.told(assignment)) > 0 })
}

// The gateway notifies the service manager when it is ready and when it stops, with a
// status for systemctl.
func TestTheServiceManagerIsToldOfStartAndStop(t *testing.T) {
	t.Parallel()
	f := func(name string, address func(s *site) string) {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			m := startServiceManager(t, address(s))
			g := s.launchFor(m, nil)
			m.whenTold(t, "READY=1")
			g.must(http.StatusOK, http.MethodGet, "/-/ready", "")
			if len(m.told("STATUS=serving")) != 1 || len(m.told("STOPPING=1")) != 0 {
				t.Errorf("told %q", m.told(""))
			}
			first := m.told("")[0]
			if !strings.Contains(first, "STATUS=opening the stream") || !strings.Contains(first, "EXTEND_TIMEOUT_USEC=") {
				t.Errorf("first told %q", first)
			}
			if code, err := g.Terminate(); code != 0 || err != nil {
				t.Fatalf("code %d, %v", code, err)
			}
			last := m.told("")[len(m.told(""))-1]
			if !strings.Contains(last, "STOPPING=1") || len(m.told("READY=1")) != 1 || len(m.told("WATCHDOG=1")) != 0 {
				t.Errorf("told %q", m.told(""))
			}
		})
	}
	f("path", func(s *site) string { return filepath.Join(s.dir, "notify") })
	f("abstract", func(s *site) string { return "@" + filepath.Base(s.dir) })
}

// A long replay extends the start timeout. The test restarts a gateway with enough
// groups to watch the replay, and with more if it was too fast.
func TestTheServiceManagerIsToldOfTheReplay(t *testing.T) {
	const attempts = 4
	s := newSite(t)
	for attempt := range attempts {
		g := s.start("--bus.sync=interval")
		fill(t, g, fmt.Sprint("filled-", attempt), 20_000<<attempt)
		g.kill()

		m := startServiceManager(t, filepath.Join(s.dir, fmt.Sprint("notify-", attempt)))
		g = s.launchFor(m, nil)
		m.whenTold(t, "READY=1")
		g.must(http.StatusOK, http.MethodGet, "/-/ready", "")
		if _, err := g.Terminate(); err != nil {
			t.Fatal(err)
		}
		told := m.told("")
		ready := slices.IndexFunc(told, func(message string) bool { return strings.Contains(message, "READY=1") })
		for i, message := range told {
			if strings.Contains(message, "STATUS=replaying the stream") && i > ready {
				t.Errorf("told %q after READY=1", message)
			}
		}
		for _, message := range m.told("STATUS=replaying the stream") {
			if !strings.Contains(message, "replaying the stream: 0 of") {
				t.Logf("told %q", message)
				return
			}
		}
	}
	t.Errorf("no progress of a replay was told in %d attempts", attempts)
}

// The gateway notifies the watchdog in time, and only if the service manager asks for
// that.
func TestTheWatchdogIsFed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m := startServiceManager(t, filepath.Join(s.dir, "notify"))
	g := s.launchFor(m, []string{"WATCHDOG_USEC=3000000"})
	m.whenTold(t, "READY=1")
	for before := len(m.told("WATCHDOG=1")); len(m.told("WATCHDOG=1")) < before+3; {
		seen := len(m.told("WATCHDOG=1"))
		testkit.Within(t, 30*time.Second, "fed again", func() bool { return len(m.told("WATCHDOG=1")) > seen })
	}
	if code, err := g.Terminate(); code != 0 || err != nil {
		t.Fatalf("code %d, %v", code, err)
	}
}

// The gateway goes on if it cannot reach the service manager.
func TestAnUnreachableServiceManagerIsLoggedOnce(t *testing.T) {
	s := newSite(t)
	g := s.launchFor(&serviceManager{address: filepath.Join(s.dir, "nobody")}, nil)
	if err := g.WaitReady(t.Context(), s.client, g.url); err != nil {
		t.Fatal(err)
	}
	if code, err := g.Terminate(); code != 0 || err != nil {
		t.Fatalf("code %d, %v", code, err)
	}
	if n := strings.Count(g.Log(), "cannot send the state to the service manager"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, g.Log())
	}
}
