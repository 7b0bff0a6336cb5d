package store

import (
	"bytes"
	"fmt"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"
)

// Message returns the family as a protocol buffer message, for the formats that
// are asked for rarely. It is made anew with each call and the caller's.
func (f Family) Message() (*dto.MetricFamily, error) {
	if f.Proto != nil {
		message := &dto.MetricFamily{}
		if err := proto.Unmarshal(f.Proto, message); err != nil {
			return nil, fmt.Errorf("cannot read the message of family %q: %w", f.Name, err)
		}
		return message, nil
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(f.Text))
	if err != nil {
		return nil, fmt.Errorf("cannot read the text of family %q: %w", f.Name, err)
	}
	message := families[f.Name]
	if message == nil || len(families) != 1 {
		return nil, fmt.Errorf("the text of family %q has %d families", f.Name, len(families))
	}
	return message, nil
}
