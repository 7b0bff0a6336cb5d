package event

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"sluice/store"
)

const nanos = 1_000_000_000

// formatTime writes nanoseconds as decimal seconds, exactly: 1.5 for 1500000000.
func formatTime(t int64) string {
	var buf [24]byte
	dst := buf[:0]
	u := uint64(t)
	if t < 0 {
		dst = append(dst, '-')
		u = -u
	}
	dst = strconv.AppendUint(dst, u/nanos, 10)
	if fraction := u % nanos; fraction != 0 {
		dst = append(dst, '.')
		digits := strconv.AppendUint(nil, nanos+fraction, 10)[1:]
		for digits[len(digits)-1] == '0' {
			digits = digits[:len(digits)-1]
		}
		dst = append(dst, digits...)
	}
	return string(dst)
}

// parseTime is the inverse of formatTime; no text is 0.
func parseTime(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	bad := fmt.Errorf("%.40q is no time in decimal seconds", s)
	unsigned, negative := strings.CutPrefix(s, "-")
	whole, fraction, _ := strings.Cut(unsigned, ".")
	if len(fraction) > 9 || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, bad
	}
	seconds, err := strconv.ParseUint(whole, 10, 64)
	if err != nil || seconds > math.MaxInt64/nanos {
		return 0, bad
	}
	rest, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 64)
	t := seconds*nanos + rest
	switch {
	case err != nil || t > math.MaxInt64:
		return 0, bad
	case negative:
		return -int64(t), nil
	}
	return int64(t), nil
}

// formatFamilyTimes lists the families that were pushed at another time than
// the group: "<time>=<name>,<name> <time>=<name>", names percent-encoded. What
// was pushed together stands together, since headers are small (64 KiB).
func formatFamilyTimes(e store.Event) string {
	names := map[int64][]string{}
	for _, f := range e.Families {
		if f.PushTime != 0 && f.PushTime != e.PushTime {
			names[f.PushTime] = append(names[f.PushTime], string(appendPercent(nil, f.Name)))
		}
	}
	if len(names) == 0 {
		return ""
	}
	times := make([]int64, 0, len(names))
	for t := range names {
		times = append(times, t)
	}
	slices.Sort(times)
	parts := make([]string, len(times))
	for i, t := range times {
		parts[i] = formatTime(t) + "=" + strings.Join(names[t], ",")
	}
	return strings.Join(parts, " ")
}

// parseFamilyTimes sets the times in families, which are sorted by name.
func parseFamilyTimes(s string, families []store.Family) error {
	for part := range strings.FieldsSeq(s) {
		text, names, ok := strings.Cut(part, "=")
		if !ok {
			return fmt.Errorf("no names in %.40q", part)
		}
		t, err := parseTime(text)
		if err != nil {
			return err
		}
		for escaped := range strings.SplitSeq(names, ",") {
			i, err := familyIndex(families, escaped)
			if err != nil {
				return err
			}
			families[i].PushTime = t
		}
	}
	return nil
}

// familyIndex finds the family of a percent-encoded name.
func familyIndex(families []store.Family, escaped string) (int, error) {
	name, err := parsePercent(escaped)
	if err != nil {
		return 0, err
	}
	i, ok := slices.BinarySearchFunc(families, name, func(f store.Family, name string) int {
		return strings.Compare(f.Name, name)
	})
	if !ok {
		return 0, fmt.Errorf("no family %.80q", name)
	}
	return i, nil
}
