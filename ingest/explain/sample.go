package explain

import (
	"bytes"

	"sluice/ingest/decode"
	"sluice/store"
)

// The functions of this file read lines that are good.

// labelValueAt returns where the value of a label is written.
func labelValueAt(text []byte, label string) int {
	for i := 0; i < len(text); i++ {
		if text[i] == '"' {
			if end := quotedEnd(text, i); end > 0 {
				i = end - 1
				continue
			}
			return -1
		}
		if bytes.HasPrefix(text[i:], []byte(label)) && (i == 0 || !decode.IsLabelPart(text[i-1])) {
			if next := decode.SkipBlanks(text, i+len(label)); next < len(text) && text[next] == '=' {
				return decode.SkipBlanks(text, next+1)
			}
		}
	}
	return -1
}

// valueAt returns where the value of a good line is written.
func valueAt(text []byte) int {
	i := decode.SkipBlanks(text, 0)
	for i < len(text) && !decode.IsBlank(text[i]) && text[i] != '{' {
		i++
	}
	if i = decode.SkipBlanks(text, i); i < len(text) && text[i] == '{' {
		i = behindLabels(text, i+1)
	}
	return decode.SkipBlanks(text, i)
}

// behindLabels returns the index behind the closing brace of labels that begin
// at i.
func behindLabels(text []byte, i int) int {
	for i < len(text) && text[i] != '}' {
		end := -1
		if text[i] == '"' {
			end = quotedEnd(text, i)
		}
		i = max(i+1, end)
	}
	return min(i+1, len(text))
}

// commentName returns the metric name of a comment with the keyword, as it is
// written, else "".
func commentName(text []byte, keyword string) string {
	i := decode.SkipBlanks(text, 0)
	if i == len(text) || text[i] != '#' {
		return ""
	}
	i = decode.SkipBlanks(text, i+1)
	rest, ok := bytes.CutPrefix(text[i:], []byte(keyword))
	if !ok || len(rest) == 0 || !decode.IsBlank(rest[0]) {
		return ""
	}
	rest = rest[decode.SkipBlanks(rest, 0):]
	if len(rest) > 0 && rest[0] == '"' {
		if end := quotedEnd(rest, 0); end > 0 {
			return string(rest[1 : end-1])
		}
	}
	end := bytes.IndexAny(rest, " \t")
	if end < 0 {
		end = len(rest)
	}
	return string(rest[:end])
}

// isSampleOf tells whether a line has a sample of the name.
func isSampleOf(text []byte, name string) bool {
	text = text[decode.SkipBlanks(text, 0):]
	if len(text) > 0 && text[0] == '{' {
		text = text[1+decode.SkipBlanks(text[1:], 0):]
		return len(name) > 0 && bytes.HasPrefix(text, []byte(`"`+name+`"`))
	}
	rest, ok := bytes.CutPrefix(text, []byte(name))
	return ok && name != "" && (len(rest) == 0 || !decode.IsNamePart(rest[0]))
}

// timestampAt returns where the timestamp of a good line is, -1 if there is none.
func timestampAt(text []byte) int {
	i := decode.SkipBlanks(text, 0)
	if i == len(text) || text[i] == '#' {
		return -1
	}
	i = valueAt(text)
	for i < len(text) && !decode.IsBlank(text[i]) {
		i++
	}
	if i = decode.SkipBlanks(text, i); i == len(text) {
		return -1
	}
	return i
}

// isPartOf tells whether a line has a sample of a metric, or of a part of it.
func isPartOf(text []byte, name string) bool {
	if isSampleOf(text, name) {
		return true
	}
	for _, suffix := range [...]string{"_bucket", "_sum", "_count"} {
		if at := bytes.Index(text[:min(len(text), len(name)+64)], []byte(suffix)); at >= 0 && isSampleOf(text, name+suffix) {
			return true
		}
	}
	return false
}

// sampleLabels reads the name and the labels of a line.
func sampleLabels(text []byte) (name string, labels []store.Label) {
	i := decode.SkipBlanks(text, 0)
	start := i
	for i < len(text) && !decode.IsBlank(text[i]) && text[i] != '{' {
		i++
	}
	name = string(text[start:i])
	if i = decode.SkipBlanks(text, i); i == len(text) || text[i] != '{' {
		return name, nil
	}
	for next := true; next; {
		var label string
		var ok bool
		if label, i, ok = nameOrQuoted(text, decode.SkipBlanks(text, i+1)); !ok {
			break
		}
		i = decode.SkipBlanks(text, i)
		if i < len(text) && text[i] == '=' {
			var value string
			if value, i, ok = quoted(text, decode.SkipBlanks(text, i+1)); !ok {
				break
			}
			labels = append(labels, store.Label{Name: label, Value: value})
			i = decode.SkipBlanks(text, i)
		} else if name == "" {
			name = label
		}
		next = i < len(text) && text[i] == ','
	}
	return name, labels
}

// nameOrQuoted reads a name, in quotes or without, and returns the index behind
// it. It says no if a quote is not closed.
func nameOrQuoted(text []byte, i int) (name string, next int, ok bool) {
	if i < len(text) && text[i] == '"' {
		return quoted(text, i)
	}
	plain := word(text, i)
	return string(plain), i + len(plain), true
}

// quoted reads a text in quotes and returns the index behind it. It says no if
// there is none, or if it is not closed.
func quoted(text []byte, i int) (s string, next int, ok bool) {
	if i == len(text) || text[i] != '"' {
		return "", i, false
	}
	end := quotedEnd(text, i)
	if end < 0 {
		return "", i, false
	}
	return store.Unescape(text[i+1 : end-1]), end, true
}
