package decode

import (
	"bytes"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"sluice/store"
)

// The memory that decoding allocates, in bytes, garbage included. The constants
// are upper bounds of what TestCost measures with the bodies that allocate most for
// their size: short lines, many labels, many families, empty messages. What is not
// in them is what expfmt allocates and drops at once to find repeated labels, with
// the square of the labels of a line: the collector takes it while it is made.
const (
	// fastText is what the fast path allocates for each byte of canonical text: the
	// scratch memory, which is made in one piece for a large body, and the result.
	fastText = 2
	// fastLine is the same for each line besides: its span, where the slice grows.
	fastLine = 200
	// fastFamily is for each family: what the scanner and the result have of it.
	fastFamily = 900
	// slowText is what the slow path allocates for each byte of canonical text: its
	// writer grows by a quarter each time, and the strings of labels are copies.
	slowText = 14
	// slowLine is for each line: a metric, its value, its parts of slices that grow.
	slowLine = 300
	// slowLabel is for each label: a pair, two strings and their pointers.
	slowLabel = 120
	// protoText is for each byte of the text that a protobuf body becomes, and
	// protoMessage for each of its messages.
	protoText    = 12
	protoMessage = 200
	// lineExtra is what canonical text adds to a line besides the labels of its
	// group: an instance, braces, a number in full.
	lineExtra = 32
)

// unasked is the canonical text, in bytes, up to which Options.Admit is not asked.
// What is allocated for it is bounded by 8 MB, with the worst of all bodies, and
// by some 100 kB with a usual one.
const unasked = 128 << 10

// admit asks Admit, if there is one, with a cost that is computed only then.
func (o *Options) admit(cost func([]byte, store.Key, Limits) int64, body []byte, key store.Key) error {
	if o.Admit == nil || textSize(int64(len(body)), int64(bytes.Count(body, []byte{'\n'})), key, o.Limits) <= unasked {
		return nil
	}
	return o.Admit.Admit(cost(body, key, o.Limits))
}

// fastCost estimates the bytes that the fast path allocates for a text body.
func fastCost(body []byte, key store.Key, limits Limits) int64 {
	lines := int64(bytes.Count(body, []byte{'\n'}))
	return fastText*textSize(int64(len(body)), lines, key, limits) + fastLine*lines + fastFamily*nameChanges(body)
}

// nameChanges counts the samples that have another name than the one before: as
// many as there are families, if each is in one piece.
func nameChanges(body []byte) int64 {
	var name []byte
	n := int64(0)
	for len(body) > 0 {
		line, rest, _ := bytes.Cut(body, []byte{'\n'})
		body = rest
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		end := 0
		for end < len(line) && line[end] != '{' && line[end] != ' ' {
			end++
		}
		if !bytes.Equal(line[:end], name) {
			n++
		}
		name = line[:end]
	}
	return n
}

// textCost estimates the bytes that the slow path allocates for a text body, with
// the parser of Prometheus or that of OpenMetrics.
func textCost(body []byte, key store.Key, limits Limits) int64 {
	lines := int64(bytes.Count(body, []byte{'\n'})) + 1
	labels := int64(min(bytes.Count(body, []byte{'='}), bytes.Count(body, []byte{'"'})/2))
	return slowText*textSize(int64(len(body)), lines, key, limits) + slowLine*lines + slowLabel*labels
}

// textSize estimates the canonical text of a body.
func textSize(size, lines int64, key store.Key, limits Limits) int64 {
	text := size + lines*keyBytes(key)
	if most := int64(limits.TextBytes); most > 0 {
		text = min(text, most)
	}
	return max(text, size)
}

// keyBytes is what a group adds to each line.
func keyBytes(key store.Key) int64 {
	n := lineExtra
	for _, l := range key.Labels() {
		n += len(l.Name) + len(l.Value) + len(`="",`)
	}
	return int64(n)
}

// protobufCost estimates the bytes that are allocated for a protobuf body, from
// the number of its messages and the text that they become. It reads lengths only;
// where they are broken it stops, as the decoder will.
func protobufCost(body []byte, key store.Key, limits Limits) int64 {
	c := protobufCounter{family: (&dto.MetricFamily{}).ProtoReflect().Descriptor(), key: keyBytes(key)}
	size := len(body)
	for len(body) > 0 {
		length, n := protowire.ConsumeVarint(body)
		if n < 0 || length > uint64(len(body)-n) {
			break
		}
		c.count(body[n:n+int(length)], c.family)
		body = body[n+int(length):]
	}
	text := c.text
	if most := int64(limits.TextBytes); most > 0 {
		text = min(text, most)
	}
	return 2*int64(size) + protoText*text + protoMessage*c.messages
}

// protobufCounter counts what the messages of a body become.
type protobufCounter struct {
	family   protoreflect.MessageDescriptor
	key      int64 // what a group adds to each line
	messages int64
	text     int64
}

// count counts a message and all within it. It returns the labels of the message
// in bytes, and its lines of text.
func (c *protobufCounter) count(message []byte, typ protoreflect.MessageDescriptor) (labels, lines int64) {
	c.messages++
	for len(message) > 0 {
		number, wire, n := protowire.ConsumeTag(message)
		if n < 0 {
			return labels, lines
		}
		message = message[n:]
		size := protowire.ConsumeFieldValue(number, wire, message)
		if size < 0 {
			return labels, lines
		}
		if field := typ.Fields().ByNumber(number); wire == protowire.BytesType && field != nil && field.Message() != nil {
			value, _ := protowire.ConsumeBytes(message)
			within, more := c.count(value, field.Message())
			switch field.Name() {
			case "label":
				labels += int64(len(value))
			case "quantile", "bucket":
				lines++
			case "metric":
				c.text += max(more, 1) * (within + c.key)
			case "summary", "histogram":
				lines += more + 3
			default:
				lines += more
			}
		}
		message = message[size:]
	}
	return labels, lines
}
