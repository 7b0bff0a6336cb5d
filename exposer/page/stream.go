package page

import (
	"net/http"
)

// streamView is the page of the stream.
type streamView struct {
	frame
	Cluster   *cluster
	NoCluster string // why it is not known
}

// serveStream shows the stream. The copies and the other gateways take a
// question to them, so part=now leaves them out.
func (p *Page) serveStream(w http.ResponseWriter, r *http.Request) error {
	v := streamView{frame: p.frame(r, "stream", "Stream")}
	if v.Stream == nil {
		_, err := ask[stream](r.Context(), p.cfg.API, "/stream", nil)
		return err
	}
	if r.URL.Query().Get("part") != "now" {
		c, err := ask[cluster](r.Context(), p.cfg.API, "/cluster", nil)
		if err != nil {
			v.NoCluster = err.Error()
		} else {
			v.Cluster = &c
		}
	}
	return p.send(w, http.StatusOK, "stream", v)
}
