package importfile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"sluice/store/words"
)

// fileGroup is a group as the file has it.
type fileGroup struct {
	key      string // the labels as one string, which identifies the group
	labels   map[string]string
	families map[string]fileFamily // by name
}

// fileFamily is a family as the file has it.
type fileFamily struct {
	time    time.Time // when it was pushed
	message []byte    // io.prometheus.client.MetricFamily
}

// readPath reads a file of Pushgateway 0.10 or later, and calls yield for each
// group until that fails. It refuses a file that is not complete to the last byte.
// The error says what is wrong, without the path.
func readPath(path string, yield func(fileGroup) error) (err error) {
	info, err := os.Stat(path) // first, because opening a pipe blocks until it has a writer
	if err != nil {
		return plainError(err)
	}
	switch {
	case info.IsDir():
		return errors.New("it is a directory")
	case !info.Mode().IsRegular():
		return errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return plainError(err)
	}
	defer f.Close() // it was only read
	if info, err = f.Stat(); err != nil {
		return plainError(err)
	}
	return readFile(f, info.Size(), yield)
}

// plainError removes the path from an error of package os, for callers that add it
// themselves.
func plainError(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// readFile is readPath for a file of a size in bytes.
func readFile(in io.Reader, size int64, yield func(fileGroup) error) error {
	if size == 0 {
		return errors.New("it is empty")
	}
	r := newGobReader(in, size)
	types, root, err := r.types()
	if err != nil {
		return err
	}
	l, err := layoutOf(types, root)
	if err != nil {
		return err
	}
	zero, err := r.uint() // it precedes every value that is not a struct
	if err != nil || zero != 0 {
		return cmp.Or(err, errNotPushgateway)
	}
	seen := map[string]bool{}
	err = r.pairs(func() error {
		g, err := r.group(l)
		if err != nil {
			return err
		}
		if seen[g.key] {
			return fmt.Errorf("it has group %q twice", g.key)
		}
		seen[g.key] = true
		return yield(g)
	})
	switch {
	case err != nil:
		return err
	case r.left != 0 || r.rest != 0:
		return fmt.Errorf("it has %s after its end", words.Count(int(r.left+r.rest), "byte", "bytes"))
	}
	return nil
}

func (r *gobReader) group(l layout) (fileGroup, error) {
	g := fileGroup{labels: map[string]string{}, families: map[string]fileFamily{}}
	var err error
	if g.key, err = r.string(); err != nil {
		return g, err
	}
	err = r.fields(func(field int) error {
		if field >= len(l.group) {
			return errDamaged
		}
		if l.group[field] == fieldLabels {
			return r.pairs(func() error {
				name, err := r.string()
				if err != nil {
					return err
				}
				g.labels[name], err = r.string()
				return err
			})
		}
		return r.pairs(func() error {
			name, err := r.string()
			if err != nil {
				return err
			}
			if _, again := g.families[name]; again {
				return fmt.Errorf("it has family %q of group %q twice", name, g.key)
			}
			g.families[name], err = r.family(l)
			return err
		})
	})
	return g, err
}

func (r *gobReader) family(l layout) (fileFamily, error) {
	var f fileFamily
	err := r.fields(func(field int) error {
		if field >= len(l.family) {
			return errDamaged
		}
		raw, err := r.bytes()
		if err != nil {
			return err
		}
		if l.family[field] == fieldFamily {
			f.message = raw
			return nil
		}
		if err := f.time.GobDecode(raw); err != nil {
			return fmt.Errorf("it has an invalid time: %w", err)
		}
		return nil
	})
	return f, err
}
