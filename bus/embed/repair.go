package embed

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// nats-server reads blocks that were closed in order only when it needs them. If the
// length of a record is wrong then, or any record after a crash, it cuts the block off
// there: what follows, up to 8 MiB of messages, is gone, and nothing says so. So the
// blocks are read before it starts. A wrong length is put right. Any other damage costs
// the record: an erased one takes its place. The block as it was is kept.

const (
	// damagedDir has the blocks as they were before a repair, and reports. Nothing in
	// there is ever removed.
	damagedDir = "damaged"
	// stateFile is where the server keeps what it knows of all blocks. It makes that
	// again from the blocks if there is none.
	stateFile = "index.db"
	// maxBlock bounds the memory for one block, in bytes. The server's are 8 MiB and at
	// most one record more.
	maxBlock = 128 << 20
	// maxNamed bounds how many damaged records are named of a block, and maxSubject the
	// bytes of their subjects.
	maxNamed   = 20
	maxSubject = 256
)

// A repairReport says what was damaged in a block. There is one for each block in
// damagedDir.
type repairReport struct {
	Block string `json:"block"` // its path in the data directory
	Kept  string `json:"kept"`  // the path of the block as it was
	// Repaired counts records of which the length was wrong, and Lost those that are
	// gone.
	Repaired int      `json:"repaired"`
	Lost     int      `json:"lost"`
	Records  []string `json:"records"` // which are lost, as far as that can be read
}

// repairer repairs the blocks of a stream.
type repairer struct {
	dir    string // the data directory
	stream string
	// replicated tells that other members have the stream, too. Then nothing is erased:
	// they would not know, while the server fetches what it finds missing.
	replicated bool
	logger     *slog.Logger

	buf  []byte // of the block that is read
	last uint64 // sequence of the blocks before
}

// repairBlocks repairs all streams of a name. It reads all of their blocks, one by one.
func repairBlocks(ctx context.Context, dir, stream string, replicated bool, logger *slog.Logger) error {
	folders, err := filepath.Glob(filepath.Join(dir, serverDir, "*", "streams", stream, "msgs"))
	for _, folder := range folders {
		r := &repairer{dir: dir, stream: stream, replicated: replicated, logger: logger}
		err = errors.Join(err, r.repairFolder(ctx, folder))
	}
	if err != nil {
		return fmt.Errorf("cannot check the blocks of stream %s: %w", stream, err)
	}
	return nil
}

// repairFolder repairs the blocks of a folder in their order.
func (r *repairer) repairFolder(ctx context.Context, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	var indices []int
	for _, entry := range entries {
		text, isBlock := strings.CutSuffix(entry.Name(), ".blk")
		if index, err := strconv.Atoi(text); isBlock && err == nil && entry.Type().IsRegular() {
			indices = append(indices, index)
		}
	}
	slices.Sort(indices)
	for i, index := range indices {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := r.repairBlock(folder, index, i == len(indices)-1); err != nil {
			return err
		}
	}
	return nil
}

// repairBlock repairs a block, if it is neither encrypted nor compressed.
func (r *repairer) repairBlock(folder string, index int, isLast bool) error {
	name := filepath.Join(folder, fmt.Sprintf("%d.blk", index))
	if _, err := os.Stat(filepath.Join(folder, fmt.Sprintf("%d.key", index))); err == nil {
		return nil
	}
	data, err := r.read(name)
	if err != nil || bytes.HasPrefix(data, []byte("cmp")) {
		return err
	}
	b, err := newBlock(r.stream, index, data)
	if err != nil {
		return err
	}
	damages, last := b.damages(r.last)
	r.last = last
	if n := len(damages); isLast && n > 0 && b.cutOff(damages[n-1]) && !b.fixable(damages[n-1]) {
		// It was never acknowledged, and the server cuts it off by itself.
		d := damages[n-1]
		if err := r.keep(name, fmt.Sprintf("end-%d", d.from), data[d.from:]); err != nil {
			return err
		}
		r.logger.Warn("the last record of the stream is incomplete, as after a crash", "block", name, "offset", d.from, "bytes", d.to-d.from)
		damages = damages[:n-1]
	}
	if len(damages) == 0 {
		return nil
	}
	return r.rewrite(name, b, damages)
}

// read returns the content of a file, until the next one is read.
func (r *repairer) read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > maxBlock {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", name, info.Size(), maxBlock)
	}
	buf := bytes.NewBuffer(r.buf[:0])
	buf.Grow(int(info.Size()) + bytes.MinRead)
	_, err = buf.ReadFrom(f)
	r.buf = buf.Bytes()
	return r.buf, err
}

// rewrite puts a repaired block in the place of a damaged one, which it keeps.
func (r *repairer) rewrite(name string, b *block, damages []damage) error {
	original := bytes.Clone(b.data)
	report := repairReport{Records: []string{}}
	for _, d := range slices.Backward(damages) { // erasing may move what follows
		if b.fixLength(d) {
			report.Repaired++
			continue
		}
		offsets, exact := b.claims(d)
		if !exact {
			offsets = offsets[:1] // at least
		}
		report.Lost += len(offsets)
		report.Records = append(b.describe(d), report.Records...)
		b.erase(d)
	}
	report.Records = report.Records[:min(len(report.Records), maxNamed)]
	if report.Lost > 0 && r.replicated {
		r.logger.Warn("a block of this copy of the stream is damaged: the NATS server gets it from the other members", "block", name, "records", report.Records)
		return nil
	}
	if err := r.report(name, original, report); err != nil {
		return err
	}
	if report.Lost > 0 { // the server would look for them
		state := filepath.Join(filepath.Dir(name), stateFile)
		if err := os.Remove(state); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return writeWhole(name, b.data)
}

// report keeps a block as it was, with a report of its damage.
func (r *repairer) report(name string, original []byte, report repairReport) error {
	sum := sha256.Sum256(original) // so that a repair that is cut off is not counted twice
	id := fmt.Sprintf("%x", sum[:8])
	if err := r.keep(name, id, original); err != nil {
		return err
	}
	var err error
	if report.Block, err = filepath.Rel(r.dir, name); err != nil {
		return err
	}
	report.Kept = filepath.Join(damagedDir, r.keptName(name, id))
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	r.logger.Warn("a block of the stream was damaged, and is repaired", "block", name, "kept", report.Kept,
		"repaired", report.Repaired, "lost", report.Lost, "records", report.Records)
	return r.keep(name, id+".json", append(text, '\n'))
}

func (r *repairer) keptName(name, id string) string {
	return fmt.Sprintf("%s-%s-%s", r.stream, filepath.Base(name), id)
}

// keep writes a file to damagedDir.
func (r *repairer) keep(name, id string, data []byte) error {
	dir := filepath.Join(r.dir, damagedDir)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("cannot keep what is damaged of %s: %w", name, err)
	}
	if err := writeWhole(filepath.Join(dir, r.keptName(name, id)), data); err != nil {
		return fmt.Errorf("cannot keep what is damaged of %s: %w", name, err)
	}
	return syncDir(r.dir)
}

// lostRecords counts the records that repairs could not save, now and in the past. It
// tells of them in the log with each start.
func lostRecords(dir string, logger *slog.Logger) (lost int, err error) {
	names, err := filepath.Glob(filepath.Join(dir, damagedDir, "*.json"))
	for _, name := range names {
		text, readErr := os.ReadFile(name)
		var report repairReport
		if readErr == nil {
			readErr = json.Unmarshal(text, &report)
		}
		if readErr != nil {
			err = errors.Join(err, fmt.Errorf("cannot read %s: %w", name, readErr))
			continue
		}
		lost += report.Lost
	}
	if lost > 0 {
		logger.Warn("the stream has lost records that were damaged on the disk; it says so until the folder is moved away", "lost", lost, "folder", filepath.Join(dir, damagedDir))
	}
	return lost, err
}
