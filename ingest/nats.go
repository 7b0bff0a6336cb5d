package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"sluice/store"
)

const (
	// viaNATS stands for NATS in metrics and origins.
	viaNATS = "nats"
	// groupHeader has the grouping key if the subject has none.
	groupHeader = "Sluice-Group"
	// maxPendingRequests and maxPendingBytes bound the requests that one endpoint
	// has received and not yet handed to the committer. NATS drops what exceeds them.
	maxPendingRequests = 65536
	maxPendingBytes    = 64 << 20
)

// Service accepts changes over NATS: requests on <prefix>.push.<op>.<key>. The key
// is written as in the URL, one token for each component. Messages without a reply
// subject are accepted, too.
type Service struct {
	front   *Front
	conn    *nats.Conn
	prefix  string
	version string
	logger  *slog.Logger
	service micro.Service

	mu       sync.Mutex // protects stopped, and adding to inFlight
	stopped  bool
	inFlight sync.WaitGroup // changes without a verdict
}

// NewService returns a service of a gateway of a version. It does nothing until
// Start.
func NewService(front *Front, conn *nats.Conn, prefix, version string, logger *slog.Logger) *Service {
	return &Service{front: front, conn: conn, prefix: prefix, version: version, logger: logger}
}

// Reply is the answer to a request, as JSON.
type Reply struct {
	// Code is the HTTP status of the same request over HTTP.
	Code int `json:"code"`
	// Error is the reason of a refusal.
	Error string `json:"error,omitempty"`
}

// Start subscribes to the requests.
func (s *Service) Start() error {
	service, err := micro.AddService(s.conn, micro.Config{
		Name:        "sluice",
		Version:     semver(s.version),
		Description: "Push gateway for Prometheus",
		ErrorHandler: func(_ micro.Service, e *micro.NATSError) {
			if errors.Is(e, nats.ErrSlowConsumer) {
				s.front.metrics.overflows.Inc()
			}
			s.logger.Warn("error on a NATS subscription", "subject", e.Subject, "err", e.Description)
		},
	})
	if err != nil {
		return fmt.Errorf("cannot register the NATS service: %w", err)
	}
	s.service = service
	for _, op := range []store.Op{store.OpPut, store.OpPost, store.OpDelete} {
		subject := s.prefix + ".push." + op.String()
		for name, pattern := range map[string]string{op.String(): subject + ".>", op.String() + "-by-header": subject} {
			err := service.AddEndpoint(name, s.handler(op, subject),
				micro.WithEndpointSubject(pattern),
				micro.WithEndpointPendingLimits(maxPendingRequests, maxPendingBytes))
			if err != nil {
				return fmt.Errorf("cannot listen on NATS subject %s: %w", pattern, err)
			}
		}
	}
	return nil
}

// Stop accepts no more requests. It blocks until those that were accepted are
// answered, or until ctx ends.
func (s *Service) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	err := s.service.Stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.inFlight.Wait()
	}()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return errors.Join(err, fmt.Errorf("cannot answer all requests over NATS: %w", ctx.Err()))
	}
}

// begin counts a request as in flight. It returns false if the service is stopping.
func (s *Service) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	s.inFlight.Add(1)
	return true
}

// handler hands a request to the committer and returns. The handlers of an endpoint
// run one after another: if they waited for the verdict, every push would wait for
// all before it. The verdict is published to the reply subject later.
func (s *Service) handler(op store.Op, subject string) micro.HandlerFunc {
	return func(r micro.Request) {
		if !s.begin() {
			s.respond(r.Reply(), op, store.Key{}, refuse(CodeUnavailable, "the gateway is stopping"))
			return
		}
		begun := time.Now()
		c, err := s.change(op, subject, r)
		done := func(err error) {
			s.respond(r.Reply(), op, c.Key, err)
			if op != store.OpDelete {
				s.front.metrics.observe(s.front.metrics.viaNATS, begun)
			}
			s.inFlight.Done()
		}
		if err == nil && r.Reply() != "" && s.front.committer.freezes.recently(time.Now()) {
			// A client that sent this before the freeze has pushed to another gateway since.
			err = refuse(CodeUnavailable, "the gateway was frozen a moment ago: push again")
		}
		if err == nil {
			err = s.front.committer.Enqueue(context.Background(), c, done) // NATS does not tell whether the client has gone
		}
		if err != nil {
			done(err)
		}
	}
}

// change reads a request. With an error the change has only the key, if that could
// be read.
func (s *Service) change(op store.Op, subject string, r micro.Request) (Change, error) {
	key, err := s.key(strings.TrimPrefix(strings.TrimPrefix(r.Subject(), subject), "."), r.Headers().Get(groupHeader))
	if err != nil {
		return Change{}, err
	}
	if op == store.OpDelete {
		err = s.front.checkDeletable(key)
	} else {
		err = s.front.keys.checkLimits(key)
	}
	if err != nil {
		return Change{}, err
	}
	if op == store.OpDelete {
		return Change{Op: op, Key: key, Time: s.front.now(), Origin: viaNATS}, nil
	}
	from := source{
		body: bytes.NewReader(r.Data()), length: int64(len(r.Data())), wait: maxAdmissionWaitNATS, encoding: r.Headers().Get("Content-Encoding"), contentType: r.Headers().Get("Content-Type"),
		remoteWrite: r.Headers().Get(remoteWriteHeader) != "", origin: viaNATS,
	}
	if text := r.Headers().Get("Nats-TTL"); text != "" {
		from.hasTTL = true
		if from.ttl, err = parseNatsTTL(text); err != nil {
			return Change{Key: key}, err
		}
	}
	c, err := s.front.readPush(op, key, from)
	c.Key = key
	return c, err
}

// key reads the grouping key from the subject's tokens or from the header.
func (s *Service) key(tokens, header string) (store.Key, error) {
	switch {
	case tokens != "" && header != "":
		return store.Key{}, refuseKey("the grouping key is given twice: in the subject (%s) and in the header %s (%s)", quoted(tokens), groupHeader, quoted(header))
	case tokens != "":
		return s.tokensKey(tokens)
	case header == "":
		return store.Key{}, refuseKey("no grouping key: neither in the subject nor in the header %s", groupHeader)
	}
	path, err := url.PathUnescape(header)
	if err != nil {
		return store.Key{}, refuseKey("header %s: %v", groupHeader, err)
	}
	relative, rooted := strings.CutPrefix(path, "/")
	word, rest, ok := strings.Cut(relative, "/")
	plain, encoded := strings.CutSuffix(word, base64Suffix)
	if !rooted || !ok || plain != store.JobLabel {
		return store.Key{}, refuseKey("header %s: %s does not begin with /job/<job>", groupHeader, quoted(header))
	}
	job, labels := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		job, labels = rest[:i], rest[i:]
	}
	return s.front.keys.path(job, encoded, labels)
}

// tokensKey reads the grouping key from the tokens job.<job>{.<label>.<value>}.
func (s *Service) tokensKey(tokens string) (store.Key, error) {
	parts := strings.Split(tokens, ".")
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return store.Key{}, refuseKey("subject token %s: %v", quoted(part), err)
		}
		parts[i] = plain
	}
	plain, encoded := strings.CutSuffix(parts[0], base64Suffix)
	if plain != store.JobLabel || len(parts) < 2 {
		return store.Key{}, refuseKey("grouping key %s does not begin with job.<job>", quoted(tokens))
	}
	if len(parts)%2 != 0 {
		return store.Key{}, refuseKey("odd number of tokens in grouping key %s", quoted(tokens))
	}
	return s.front.keys.parts(parts[1], encoded, parts[2:])
}

// respond records a verdict and publishes it to the reply subject, if there is one.
func (s *Service) respond(reply string, op store.Op, key store.Key, err error) {
	s.front.record(op, viaNATS, key, err, func() string { return viaNATS })
	if reply == "" || s.isReserved(reply) {
		if err != nil {
			s.logger.Debug("push over NATS refused", "op", op, "err", err)
		}
		return
	}
	answer := Reply{Code: http.StatusOK}
	var refused *Error
	switch {
	case errors.As(err, &refused):
		answer = Reply{Code: refused.Status(), Error: refused.Message}
	case err != nil:
		answer = Reply{Code: http.StatusInternalServerError, Error: err.Error()}
	case op == store.OpDelete || s.front.options.Unchecked:
		answer.Code = http.StatusAccepted
	}
	body, err := json.Marshal(answer)
	if err == nil {
		// Not through the request: responding after its handler has returned
		// would race with the service's statistics.
		err = s.conn.Publish(reply, body)
	}
	if err != nil {
		s.logger.Warn("cannot reply over NATS", "subject", reply, "err", err)
	}
}

// isReserved tells whether a message to a subject would be more than an answer: an
// event of the stream, or a request. The gateway must not publish there for clients,
// who may have no permission to do so themselves.
func (s *Service) isReserved(reply string) bool {
	return strings.HasPrefix(reply, s.prefix+".") || strings.HasPrefix(reply, "$JS.API.") || strings.HasPrefix(reply, "$SYS.")
}

// semver returns a version that NATS services accept: they require three numbers.
func semver(version string) string {
	core, _, _ := strings.Cut(version, "-")
	if strings.Count(core, ".") != 2 || strings.Trim(core, "0123456789.") != "" {
		return "0.0.0"
	}
	return version
}
