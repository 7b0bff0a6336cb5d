package exposer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"sluice/store"
)

// bufferSize is how many bytes of a scrape are sent at once.
const bufferSize = 64 << 10

// Scraper serves the telemetry path: all groups and the gateway's own families, in
// one list sorted by name. Its methods may be called concurrently.
type Scraper struct {
	store  *store.Store
	self   *SelfMetrics
	ready  func() bool
	judge  *Judge
	logger *slog.Logger
	gzips  *gzips
	zstds  *zstds
	// buffers of *bufio.Writer: most blocks are small, and a write to a
	// connection costs the same whatever its size.
	buffers sync.Pool
}

// NewScraper returns a scraper of the store and of the gateway's own metrics, unless
// these are nil. Until ready returns true scrapes are answered by 503: after half a
// replay groups would seem to be gone. The judge checks each view before it is
// served.
func NewScraper(s *store.Store, self *SelfMetrics, ready func() bool, judge *Judge, logger *slog.Logger) *Scraper {
	return &Scraper{
		store: s, self: self, ready: ready, judge: judge, logger: logger,
		gzips:   newGzips(),
		zstds:   newZstds(),
		buffers: sync.Pool{New: func() any { return bufio.NewWriterSize(nil, bufferSize) }},
	}
}

// ServeHTTP answers a scrape in the format and the encoding that it accepts, see
// negotiate and acceptedEncoding, with the escaping of names that it asks for.
func (s *Scraper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.ready() {
		s.refuse(w)
		return
	}
	view := s.store.View()
	self, err := s.self.gather(view)
	if err != nil {
		http.Error(w, fmt.Sprintf("An error has occurred while serving metrics:\n\n%v", err), http.StatusInternalServerError)
		return
	}
	if err := s.judge.Check(view, negotiate(r.Header).ToEscapingScheme()); err != nil {
		http.Error(w, "An error has occurred while serving metrics:\n\n"+err.Error(), http.StatusInternalServerError)
		return
	}
	s.send(w, r, merge(self, view.Families()))
}

// refuse answers while the gateway is not ready.
func (s *Scraper) refuse(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, "not ready: replaying the stream, or importing a persistence file", http.StatusServiceUnavailable)
}

// send answers with families in the format and the encoding that the request
// accepts.
func (s *Scraper) send(w http.ResponseWriter, r *http.Request, families []exposed) {
	format := negotiate(r.Header)
	w.Header().Add("Vary", "Accept")
	w.Header().Add("Vary", "Accept-Encoding")
	w.Header().Set("Content-Type", string(format))
	out := s.buffers.Get().(*bufio.Writer)
	defer s.buffers.Put(out)
	out.Reset(w)
	var err error
	switch encoding := acceptedEncoding(r.Header); encoding {
	case gzipped:
		w.Header().Set("Content-Encoding", encoding)
		z := s.gzips.writer(out)
		err = errors.Join(s.write(z, format, families), z.Close())
	case zstded:
		w.Header().Set("Content-Encoding", encoding)
		err = s.zstds.stream(out, func(z io.Writer) error { return s.write(z, format, families) })
	default:
		err = s.write(out, format, families)
	}
	if err = errors.Join(err, out.Flush()); err != nil {
		s.logger.Debug("cannot send a scrape", "client", r.RemoteAddr, "err", err)
	}
}

// exposed is one family of a scrape: the gateway's own part, the stored part,
// or both.
type exposed struct {
	name   string
	self   *dto.MetricFamily
	stored store.ViewFamily
	both   bool // stored is there, too
}

// merge lists the gateway's own and the stored families by name. It leaves out those
// of the gateway that conflict with stored ones.
func merge(self []*dto.MetricFamily, stored []store.ViewFamily) []exposed {
	all := make([]exposed, 0, len(self)+len(stored))
	for _, f := range stored {
		all = append(all, exposed{name: f.Name(), stored: f, both: true})
	}
	for _, f := range withoutConflicts(self, stored) {
		i, found := slices.BinarySearchFunc(all, f.GetName(), func(e exposed, name string) int {
			return strings.Compare(e.name, name)
		})
		if found {
			all[i].self = f
		} else {
			all = slices.Insert(all, i, exposed{name: f.GetName(), self: f})
		}
	}
	return all
}

// write sends all families.
func (s *Scraper) write(w io.Writer, format expfmt.Format, families []exposed) error {
	scheme := format.ToEscapingScheme()
	families, _ = distinct(families, scheme)
	if format.FormatType() == expfmt.TypeOpenMetrics {
		return writeOpenMetrics(w, families, scheme)
	}
	for i := range families {
		var err error
		switch format.FormatType() {
		case expfmt.TypeProtoDelim:
			err = writeProtobuf(w, &families[i], scheme)
		case expfmt.TypeTextPlain:
			err = writeText(w, &families[i], scheme)
		default: // the text forms of protobuf, which are rarely asked for
			err = writeMessage(w, &families[i], format)
		}
		if err != nil {
			return fmt.Errorf("family %q: %w", families[i].name, err)
		}
	}
	return nil
}

// writeText sends the stored bytes of a family. If names need escaping it has to
// make a message first.
func writeText(w io.Writer, e *exposed, scheme model.EscapingScheme) error {
	if scheme != model.NoEscaping && e.both && e.stored.HasQuotedNames() {
		message, err := e.escaped(scheme)
		if err != nil || len(message.GetMetric()) == 0 {
			return err
		}
		_, err = expfmt.MetricFamilyToText(w, message)
		return err
	}
	if e.self != nil {
		var text bytes.Buffer
		if _, err := expfmt.MetricFamilyToText(&text, e.self); err != nil {
			return err
		}
		if _, err := w.Write(text.Bytes()); err != nil {
			return err
		}
	} else if _, err := w.Write(e.stored.Head()); err != nil {
		return err
	}
	if !e.both {
		return nil
	}
	z, compressed := w.(*gzipWriter)
	for _, c := range e.stored.Chunks() {
		if compressed {
			if err := z.chunk(c); err != nil {
				return err
			}
			continue
		}
		for block := range c.Blocks() {
			if _, err := w.Write(block); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeMessage sends a family in a format that needs its message.
func writeMessage(w io.Writer, e *exposed, format expfmt.Format) error {
	message, err := e.escaped(format.ToEscapingScheme())
	if err != nil {
		return err
	}
	return expfmt.NewEncoder(w, format).Encode(message)
}

// message returns the whole family as one message.
func (e *exposed) message() (*dto.MetricFamily, error) {
	var whole *dto.MetricFamily
	if e.self != nil {
		whole = &dto.MetricFamily{Name: e.self.Name, Help: e.self.Help, Type: e.self.Type, Metric: slices.Clone(e.self.Metric)}
	}
	if !e.both {
		return whole, nil
	}
	for _, f := range e.stored.Parts() {
		part, err := f.Message()
		if err != nil {
			return nil, err
		}
		if whole == nil {
			whole = part
			continue
		}
		whole.Metric = append(whole.Metric, part.Metric...)
	}
	return whole, nil
}
