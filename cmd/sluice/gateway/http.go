package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/exporter-toolkit/web"
)

// httpServer serves one listener over HTTP. Each listener has a server of its own,
// because the exporter toolkit changes the server that it sets up.
type httpServer struct {
	server   *http.Server
	listener net.Listener
	webFile  string
	logger   *slog.Logger
	once     sync.Once
	started  atomic.Bool
	ended    chan struct{} // closed when a server that was started has ended
	err      error         // why it has ended; to be read after that
}

// newHTTPServer returns a server of a listener that has not started yet. It answers
// with handler. With OpenProbes probes need no authentication.
func newHTTPServer(cfg *Config, l net.Listener, handler http.Handler, logger *slog.Logger) *httpServer {
	s := &httpServer{
		server: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: cfg.ReadHeaderTimeout, IdleTimeout: cfg.IdleTimeout, MaxHeaderBytes: cfg.MaxHeaderBytes,
		},
		listener: l, webFile: cfg.WebConfigFile, logger: logger, ended: make(chan struct{}),
	}
	// The toolkit puts its authentication around the handler before it accepts the
	// first connection.
	s.listener = &firstAccept{Listener: l, before: func() {
		authenticated := s.server.Handler
		s.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if cfg.OpenProbes && isProbe(r, cfg.Prefix()) {
				handler.ServeHTTP(w, r)
			} else {
				authenticated.ServeHTTP(w, r)
			}
		})
	}}
	return s
}

// start starts serving. Only the first call does anything.
func (s *httpServer) start() {
	s.once.Do(func() {
		s.started.Store(true)
		go func() {
			defer close(s.ended)
			err := web.Serve(s.listener, s.server, &web.FlagConfig{WebConfigFile: &s.webFile}, s.logger)
			if !errors.Is(err, http.ErrServerClosed) {
				s.err = fmt.Errorf("cannot serve HTTP: %w", err)
			}
		}()
	})
}

// run serves until ctx ends, and answers the requests in flight then.
func (s *httpServer) run(ctx context.Context) error {
	s.start()
	select {
	case <-s.ended:
		return s.err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := s.server.Shutdown(ctx)
	<-s.ended
	return errors.Join(err, s.err)
}

// close cuts off all connections, and waits for the server to end if it was started.
func (s *httpServer) close() {
	s.server.Close()
	if s.started.Load() {
		<-s.ended
	}
}

// countConnection counts an open connection until it is closed.
func (g *Gateway) countConnection(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		g.connections.Inc()
	case http.StateClosed, http.StateHijacked:
		g.connections.Dec()
	}
}

// firstAccept is a listener that calls a function before it accepts its first
// connection.
type firstAccept struct {
	net.Listener
	before func()
	once   sync.Once
}

// Accept implements net.Listener.
func (l *firstAccept) Accept() (net.Conn, error) {
	l.once.Do(l.before)
	return l.Listener.Accept()
}

// replaceable is a handler that can be replaced while it is used.
type replaceable struct {
	current atomic.Pointer[http.Handler]
}

func (h *replaceable) replace(by http.Handler) { h.current.Store(&by) }

// ServeHTTP implements http.Handler.
func (h *replaceable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*h.current.Load()).ServeHTTP(w, r)
}

// isProbe tells whether a request asks for the health of the gateway and nothing
// else.
func isProbe(r *http.Request, prefix string) bool {
	return r.Method == http.MethodGet && (r.URL.Path == prefix+"/-/healthy" || r.URL.Path == prefix+"/-/ready")
}
