package decode

import (
	"io"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// parseProtobuf reads families that have their length before them. Of two
// families with one name the last one counts. The error is a *SyntaxError.
//
// The lengths are read here and not by protodelim, which allocates what a
// length says before it looks whether that much is there.
func parseProtobuf(body []byte) (map[string]*dto.MetricFamily, error) {
	families := map[string]*dto.MetricFamily{}
	// Nobody can read unknown fields, so they are not kept either.
	unmarshal := proto.UnmarshalOptions{DiscardUnknown: true}
	for len(body) > 0 {
		size, n := protowire.ConsumeVarint(body)
		if n < 0 {
			return nil, &SyntaxError{Message: protowire.ParseError(n).Error()}
		}
		body = body[n:]
		if size > uint64(len(body)) {
			return nil, &SyntaxError{Message: io.ErrUnexpectedEOF.Error()}
		}
		mf := &dto.MetricFamily{}
		if err := unmarshal.Unmarshal(body[:size], mf); err != nil {
			return nil, &SyntaxError{Message: err.Error()}
		}
		body = body[size:]
		families[mf.GetName()] = mf
	}
	return families, nil
}
