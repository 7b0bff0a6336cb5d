package bus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/bus/embed"
	"sluice/e2e/testkit"
	"sluice/store"
)

// A server that could not write refuses everything from then on, until it is
// started again: that must not be for somebody to find out and to do.
func TestAServerThatCouldNotWriteIsStartedAgain(t *testing.T) {
	for _, sync := range []embed.SyncMode{embed.SyncAlways, embed.SyncInterval} {
		t.Run(string(sync), func(t *testing.T) {
			cfg := Config{Server: embed.Config{DataDir: t.TempDir(), Sync: sync, Listen: "127.0.0.1:0"}, PublishTimeout: 2 * time.Second}
			g := startGateway(t, cfg)
			url := g.ClientURL()
			g.push(t, testkit.Put("/job/a", 1))
			msgs, err := filepath.Glob(filepath.Join(cfg.Server.DataDir, "jetstream", "$G", "streams", "SLUICE", "msgs"))
			if err != nil || len(msgs) != 1 {
				t.Fatal(msgs, err)
			}
			// What stands in the way of the next file is as bad as a full disk.
			block := filepath.Join(msgs[0], "2.blk")
			if err := os.Mkdir(block, 0o700); err != nil {
				t.Fatal(err)
			}
			last, n := g.store.Sequence(), 0
			testkit.Eventually(t, "the stream cannot be written", func() bool {
				n++
				seqs, err := g.tryPush(bulky(n))
				if err == nil {
					last = seqs[0]
				}
				return errors.Is(err, ErrUnavailable)
			})
			testkit.Eventually(t, "the gateway says so", func() bool { return !g.Status().Connected })
			if g.Status().Waiting == "" || !g.shows("/job/a", 1) {
				t.Errorf("it says %q and shows %q", g.Status().Waiting, g.group("/job/a"))
			}
			if err := os.RemoveAll(block); err != nil {
				t.Fatal(err)
			}
			testkit.Eventually(t, "pushes are taken again", func() bool {
				_, err := g.tryPush(testkit.Put("/job/b", 2))
				return err == nil
			})
			testkit.Eventually(t, "the gateway says so", func() bool { return g.Status().Connected && g.shows("/job/b", 2) })
			if g.store.Sequence() <= last || g.ClientURL() != url {
				t.Errorf("it has %d after %d, and listens at %s, not %s", g.store.Sequence(), last, g.ClientURL(), url)
			}
			g.stop()
			if err := os.Mkdir(filepath.Join(msgs[0], "99.blk"), 0o700); err != nil {
				t.Fatal(err)
			}
			if _, err := tryGateway(t, cfg); err == nil || !strings.Contains(err.Error(), "cannot read stream") || strings.Contains(err.Error(), "\n") {
				t.Errorf("with a stream that cannot be read: %v", err)
			}
			if err := os.Remove(filepath.Join(msgs[0], "99.blk")); err != nil {
				t.Fatal(err)
			}
			again := startGateway(t, cfg)
			if !again.shows("/job/a", 1) || !again.shows("/job/b", 2) || again.store.Sequence() < last {
				t.Errorf("after a restart it has %d groups at %d", again.store.Groups(), again.store.Sequence())
			}
		})
	}
}

// In a cluster the others go on while one cannot write, and it comes back by itself.
func TestAMemberThatCouldNotWriteIsStartedAgain(t *testing.T) {
	configs := memberConfigs(t, 3)
	members := startMembers(t, configs...)
	g := members[0]
	g.push(t, testkit.Put("/job/a", 1))
	same(t, members, "/job/a", 1)
	bad := members[1]
	testkit.Eventually(t, "one that follows has its copy", func() bool {
		info, err := g.streamInfo(context.Background())
		if err != nil || currentCopies(info) != 3 {
			return false
		}
		if info.Cluster.Leader == bad.embedded.Name() {
			bad = members[2]
		}
		return true
	})
	msgs, err := filepath.Glob(filepath.Join(bad.cfg.Server.DataDir, "jetstream", "$G", "streams", "SLUICE", "msgs"))
	if err != nil || len(msgs) != 1 {
		t.Fatal(msgs, err)
	}
	block := filepath.Join(msgs[0], "2.blk")
	if err := os.Mkdir(block, 0o700); err != nil {
		t.Fatal(err)
	}
	n := 0
	testkit.Eventually(t, "the member cannot write", func() bool {
		n++
		g.push(t, bulky(n))
		return !bad.Status().Connected
	})
	g.push(t, testkit.Put("/job/b", 2))
	if err := os.RemoveAll(block); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "all copies are current again", func() bool {
		info, err := g.streamInfo(context.Background())
		return err == nil && currentCopies(info) == 3 && bad.Status().Connected
	})
	bad.push(t, testkit.Put("/job/c", 3))
	for path, want := range map[string]int{"/job/a": 1, "/job/b": 2, "/job/c": 3} {
		same(t, members, path, want)
	}
}

// tryPush appends an event behind what the store has.
func (g *gateway) tryPush(e store.Event) ([]uint64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return g.Append(ctx, g.store.Sequence(), []store.Event{e})
}

// bulky is a push of half a megabyte that does not compress.
func bulky(n int) store.Event {
	e := testkit.Put("/job/bulky/instance/"+strconv.Itoa(n), n)
	text := make([]byte, 1<<19)
	for i := range text {
		text[i] = 'a' + byte(rand.IntN(26))
	}
	e.Families = testkit.Families(fmt.Sprintf("# TYPE m gauge\nm{instance=\"\",job=\"x\",text=%q} 1\n", text))
	return e
}
