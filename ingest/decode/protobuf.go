package decode

import (
	"fmt"
	"io"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"sluice/ingest/quote"
)

// parseProtobuf reads families that have their length before them. Of two
// families with one name the last one counts. The error is a *SyntaxError.
//
// The lengths are read here and not by protodelim, which allocates what a
// length says before it looks whether that much is there.
func parseProtobuf(body []byte) (map[string]*dto.MetricFamily, error) {
	families := map[string]*dto.MetricFamily{}
	total := len(body)
	for count := 1; len(body) > 0; count++ {
		at := total - len(body)
		mf, rest, err := CutFamily(body)
		if err != nil {
			return nil, &SyntaxError{Message: quote.Message(fmt.Sprintf("%s: in family %d, which begins at byte %d of %d", errorText(err), count, at, total))}
		}
		body = rest
		families[mf.GetName()] = mf
	}
	return families, nil
}

// CutFamily reads the first family and returns what is behind it.
func CutFamily(body []byte) (mf *dto.MetricFamily, rest []byte, err error) {
	size, n := protowire.ConsumeVarint(body)
	if n < 0 {
		return nil, nil, protowire.ParseError(n)
	}
	body = body[n:]
	if size > uint64(len(body)) {
		return nil, nil, io.ErrUnexpectedEOF
	}
	mf = &dto.MetricFamily{}
	// Nobody can read unknown fields, so they are not kept either.
	err = proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(body[:size], mf)
	return mf, body[size:], err
}

// errorText is the text of an error with plain blanks: protobuf puts no-break
// spaces into its own, so that nobody compares them.
func errorText(err error) string { return strings.ReplaceAll(err.Error(), "\u00a0", " ") }
