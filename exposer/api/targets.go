package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"sluice/store"
	"sluice/store/selector"
)

// GroupPath is the path at which one group alone is scraped, before its key.
const GroupPath = "/group"

// maxShards bounds the parameter shard.
const maxShards = 10_000

// Address says where Prometheus reaches the gateway.
type Address struct {
	// External is the gateway's external URL. If it is nil, targets have the
	// address that the request was sent to.
	External *url.URL
	// Prefix is what all paths begin with, without a slash at the end.
	Prefix string
}

// Target is an element of the answer of /api/v1/targets, in the format of
// Prometheus' HTTP service discovery.
type Target struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// serveTargets sends all groups, living and dead, as targets of their own. The
// parameter match[] chooses groups, and shard=2/5 chooses the third fifth of them.
func (a *API) serveTargets(w http.ResponseWriter, r *http.Request) {
	if !a.cfg.Ready() {
		// Not an empty list: Prometheus would drop all targets.
		w.Header().Set("Retry-After", "1")
		http.Error(w, "not ready: replaying the stream, or importing a persistence file", http.StatusServiceUnavailable)
		return
	}
	chosen, err := selector.ParseAll(r.URL.Query()["match[]"])
	if err != nil {
		a.fail(w, badParameter("match[]", err.Error()))
		return
	}
	shard, shards, err := parseShard(r.URL.Query().Get("shard"))
	if err != nil {
		a.fail(w, badParameter("shard", err.Error()))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriterSize(w, bufferSize)
	err = a.writeTargets(out, r, func(key store.Key) bool {
		return chosen.Matches(key) && (shards == 1 || shardOf(key, shards) == shard)
	})
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		a.logger.Debug("cannot send the targets", "err", err)
	}
}

func (a *API) writeTargets(w io.Writer, r *http.Request, want func(store.Key) bool) error {
	host, scheme := r.Host, "http"
	if r.TLS != nil {
		scheme = "https"
	}
	if u := a.cfg.Address.External; u != nil && u.Host != "" {
		host, scheme = u.Host, u.Scheme
	}
	separator := "["
	for g := range a.store.View().All() {
		if !want(g.Key()) {
			continue
		}
		labels := g.Key().Map()
		labels["__scheme__"] = scheme
		labels["__metrics_path__"] = a.cfg.Address.Prefix + GroupPath + g.Key().Path()
		text, err := json.Marshal(Target{Targets: []string{host}, Labels: labels})
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, separator); err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
		separator = ",\n"
	}
	if separator == "[" {
		_, err := io.WriteString(w, "[]\n")
		return err
	}
	_, err := io.WriteString(w, "]\n")
	return err
}

// parseShard reads i/n: the shard and how many there are. No text is all.
func parseShard(text string) (shard, shards int, err error) {
	if text == "" {
		return 0, 1, nil
	}
	first, second, _ := strings.Cut(text, "/")
	shard, err1 := strconv.Atoi(first)
	shards, err2 := strconv.Atoi(second)
	if err1 != nil || err2 != nil || shards < 1 || shards > maxShards || shard < 0 || shard >= shards {
		return 0, 0, fmt.Errorf("%.40q is not like 0/4: a shard from 0, and how many there are, at most %d", text, maxShards)
	}
	return shard, shards, nil
}

// shardOf returns the shard of a group. It must stay the same in all versions:
// Prometheus servers of different shards may ask different gateways.
func shardOf(key store.Key, shards int) int {
	h := fnv.New64a()
	io.WriteString(h, key.Path())
	return int(h.Sum64() % uint64(shards))
}
