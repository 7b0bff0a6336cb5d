package exposer

import (
	"encoding/binary"
	"io"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"

	"sluice/store"
)

// writeProtobuf sends a family as one delimited message. Encodings of messages that
// follow each other are the encoding of both merged. So it is made part by part: the
// header of the family, then the metrics of each group, behind one length.
func writeProtobuf(w io.Writer, e *exposed, scheme model.EscapingScheme) error {
	parts, size := make([][]byte, 0, 64), 0
	escaper := newEscaper(e, scheme)
	add := func(message *dto.MetricFamily) error {
		message = escaper.escape(message)
		if len(message.Metric) == 0 {
			return nil // a family may have been pushed without any
		}
		if len(parts) > 0 { // name, help and type are in the first part
			message = &dto.MetricFamily{Metric: message.Metric}
		}
		part, err := proto.Marshal(message)
		parts, size = append(parts, part), size+len(part)
		return err
	}
	if e.self != nil {
		if err := add(e.self); err != nil {
			return err
		}
	}
	if e.both {
		if err := eachMessage(e.stored, add); err != nil {
			return err
		}
	}
	if len(parts) == 0 {
		return nil
	}
	if _, err := w.Write(binary.AppendUvarint(nil, uint64(size))); err != nil {
		return err
	}
	for _, part := range parts {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

func eachMessage(f store.ViewFamily, do func(*dto.MetricFamily) error) error {
	for _, part := range f.Parts() {
		message, err := part.Message()
		if err != nil {
			return err
		}
		if err := do(message); err != nil {
			return err
		}
	}
	return nil
}
