package e2e

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"sluice/e2e/testkit"
)

// sluice cluster fails while a member is down, and succeeds again when it has come
// back and caught up: a rolling upgrade can wait for that.
func TestTheClusterCommandFailsWithoutAMember(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := newCluster(s, newNetwork(t))
	c.start()
	exits := func(want int, reason string) {
		t.Helper()
		var out []byte
		testkit.Within(t, 2*time.Minute, "sluice cluster exits as it must", func() bool {
			command := exec.CommandContext(t.Context(), binary, "cluster", "--url", c.members[0].url)
			out, _ = command.CombinedOutput()
			return command.ProcessState.ExitCode() == want && strings.Contains(string(out), reason)
		})
		t.Logf("%s", out)
	}
	exits(0, "3 of 3 members connected")
	c.kill(c.members[2])
	exits(1, "2 of 3 members connected")
	c.restart(c.members[2])
	exits(0, "3 of 3 members connected")
}
