package page

import (
	"net/http"

	"sluice/exposer/api"
)

// streamView is the page of the stream.
type streamView struct {
	frame
	Cluster *api.Cluster // nil if it was not asked for
}

// serveStream shows the stream. The replicas and the other gateways have to be
// asked, so part=now leaves them out.
func (p *Page) serveStream(w http.ResponseWriter, r *http.Request) error {
	v := streamView{frame: p.frame("stream", "Stream")}
	if r.URL.Query().Get("part") != "now" {
		cluster := p.cfg.API.Cluster(r.Context())
		v.Cluster = &cluster
	}
	return p.send(w, http.StatusOK, "stream", v)
}
