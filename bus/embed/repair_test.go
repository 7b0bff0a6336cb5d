package embed

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/e2e/testkit"
)

// In the middle of a block of 300 messages something is damaged. At most that is lost,
// it is counted and told with each start, and the server takes messages again.
func TestADamagedRecordCostsNoOther(t *testing.T) {
	const messages, victim = 300, 150
	flip := func(offset int, bits byte) func(record []byte) {
		return func(record []byte) { record[offset] ^= bits }
	}
	type want struct{ lost, repaired int }
	tests := map[string]struct {
		damage func(record []byte)
		last   bool // the last record of the block, not one in the middle
		want   want
	}{
		"a subject's length": {flip(20, 4), false, want{lost: 1}},
		"the sequence":       {flip(5, 1), false, want{lost: 1}},
		"the payload":        {flip(60, 1), false, want{lost: 1}},
		"the checksum":       {func(r []byte) { r[len(r)-1] ^= 1 }, false, want{lost: 1}},
		"all of it":          {func(r []byte) { clear(r) }, false, want{lost: 1}},
		"the last payload":   {flip(60, 1), true, want{lost: 1}},
	}
	for bit := range 32 {
		tests[fmt.Sprintf("length bit %d", bit)] = struct {
			damage func(record []byte)
			last   bool
			want   want
		}{flip(bit/8, 1<<(bit%8)), bit%2 == 1, want{repaired: 1}}
	}
	texts := make([]string, messages)
	for i := range texts {
		texts[i] = fmt.Sprintf("message %5d %s", i, strings.Repeat("x", 173)) // 256 bytes a record
	}
	dir := t.TempDir()
	s, stop := start(t, Config{DataDir: dir, Stream: "SLUICE", Sync: SyncInterval})
	publish(t, s, texts...)
	stop()
	for name, test := range tests {
		for _, crashed := range []bool{false, true} {
			if test.want.repaired > 0 && crashed != (len(name)%2 == 0) {
				continue // one of the two is enough for so many bits
			}
			t.Run(fmt.Sprintf("%s, crashed %v", name, crashed), func(t *testing.T) {
				cfg := Config{DataDir: t.TempDir(), Stream: "SLUICE", Sync: SyncInterval}
				if err := os.CopyFS(cfg.DataDir, os.DirFS(dir)); err != nil {
					t.Fatal(err)
				}
				block := filepath.Join(cfg.DataDir, serverDir, "$G", "streams", "SLUICE", "msgs", "1.blk")
				damaged := victim
				if test.last {
					damaged = messages - 1
				}
				original := damageRecord(t, block, damaged, test.damage)
				if crashed {
					if err := os.Remove(filepath.Join(filepath.Dir(block), stateFile)); err != nil {
						t.Fatal(err)
					}
				}
				left := slices.Clone(texts)
				if test.want.lost > 0 {
					left = slices.Delete(left, damaged, damaged+1)
				}
				for n := range 2 {
					var log testkit.Log
					s, stop := startLogging(t, cfg, &log)
					if got := stored(t, s); !slices.Equal(got, left) {
						t.Fatalf("start %d: %d messages are left, want %d", n, len(got), len(left))
					}
					if s.LostRecords() != test.want.lost || test.want.lost > 0 != strings.Contains(log.String(), "has lost records") {
						t.Errorf("start %d: %d lost, want %d: %s", n, s.LostRecords(), test.want.lost, log.String())
					}
					publish(t, s, fmt.Sprint("new ", n))
					left = append(left, fmt.Sprint("new ", n))
					stop()
				}
				kept, err := filepath.Glob(filepath.Join(cfg.DataDir, damagedDir, "SLUICE-1.blk-*"))
				if err != nil || len(kept) != 2 {
					t.Fatalf("kept are %v, %v", kept, err)
				}
				slices.Sort(kept)
				if data, err := os.ReadFile(kept[0]); err != nil || !bytes.Equal(data, original) {
					t.Errorf("the damaged block is not kept as it was: %v", err)
				}
				report, err := os.ReadFile(kept[1])
				counts := fmt.Sprintf(`"repaired": %d,%s"lost": %d`, test.want.repaired, "\n  ", test.want.lost)
				if err != nil || !strings.Contains(string(report), counts) {
					t.Errorf("the report says %s, %v, want %s", report, err, counts)
				}
			})
		}
	}
}

// What a crash leaves of a record that was being written was never acknowledged: it is
// no damage, but it is kept.
func TestAnIncompleteLastRecordIsNoDamage(t *testing.T) {
	for name, cut := range map[string]func(data []byte, last int) []byte{
		"half of it":     func(data []byte, last int) []byte { return data[:last+(len(data)-last)/2] },
		"a few bytes":    func(data []byte, last int) []byte { return data[:last+7] },
		"room for it":    func(data []byte, last int) []byte { clear(data[last:]); return data },
		"room for pages": func(data []byte, last int) []byte { return append(data, make([]byte, 9000)...) },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{DataDir: t.TempDir(), Stream: "SLUICE", Sync: SyncInterval}
			s, stop := start(t, cfg)
			publish(t, s, "a", "b", "c")
			stop()
			blockName := filepath.Join(cfg.DataDir, serverDir, "$G", "streams", "SLUICE", "msgs", "1.blk")
			data, err := os.ReadFile(blockName)
			if err != nil {
				t.Fatal(err)
			}
			offsets := recordOffsets(data)
			if err := os.WriteFile(blockName, cut(data, offsets[2]), 0o600); err != nil {
				t.Fatal(err)
			}
			s, _ = start(t, cfg)
			want := []string{"a", "b"}
			if name == "room for pages" {
				want = append(want, "c")
			}
			if got := stored(t, s); !slices.Equal(got, want) || s.LostRecords() != 0 {
				t.Errorf("it has %q, %d lost", got, s.LostRecords())
			}
			publish(t, s, "d")
			kept, err := filepath.Glob(filepath.Join(cfg.DataDir, damagedDir, "SLUICE-1.blk-end-*"))
			if err != nil || len(kept) != 1 {
				t.Errorf("kept are %v, %v", kept, err)
			}
		})
	}
}

// A member of a cluster has its lost records from the others, so nothing is erased.
func TestRepairsErasesNothingThatOthersHave(t *testing.T) {
	dir := t.TempDir()
	s, stop := start(t, Config{DataDir: dir, Stream: "SLUICE", Sync: SyncInterval})
	publish(t, s, "a", "b", "c")
	stop()
	blockName := filepath.Join(dir, serverDir, "$G", "streams", "SLUICE", "msgs", "1.blk")
	repair := func() []byte {
		t.Helper()
		if err := repairBlocks(t.Context(), dir, "SLUICE", true, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(blockName)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	whole := repair()
	damageRecord(t, blockName, 1, func(record []byte) { record[1] ^= 1 })
	if !bytes.Equal(repair(), whole) {
		t.Error("a wrong length is not put right")
	}
	damaged := damageRecord(t, blockName, 1, func(record []byte) { record[len(record)-1] ^= 1 })
	if !bytes.Equal(repair(), damaged) {
		t.Error("a record that others have is erased")
	}
}

// recordOffsets returns where the records of a block begin.
func recordOffsets(data []byte) (offsets []int) {
	for at := 0; at < len(data); at += int(binary.LittleEndian.Uint32(data[at:]) &^ headersBit) {
		offsets = append(offsets, at)
	}
	return offsets
}

// damageRecord damages a record of a block, and returns what the block is then.
func damageRecord(t *testing.T, name string, i int, damage func(record []byte)) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	offsets := append(recordOffsets(data), len(data))
	damage(data[offsets[i]:offsets[i+1]])
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return data
}
