package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"sluice/store"
	"sluice/store/search"
	"sluice/store/selector"
)

// deletesAtOnce is how many deletes of one request wait for their verdict
// together, so that it leaves room for pushes.
const deletesAtOnce = 256

// selected is a group in the answer.
type selected struct {
	Group  string            `json:"group"`
	Labels map[string]string `json:"labels"`
}

// DeleteSelected returns the handler that deletes the groups which a match[]
// parameter and the parameter search choose, living and dead, and answers which these were. With
// dry-run=true it only says so. Each group is deleted like by a request of its
// own: what is pushed meanwhile comes first or afterwards. If the stream fails in
// between, the answer is an error with those that are deleted.
func (f *Front) DeleteSelected() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		chosen, dryRun, err := selectionOf(r)
		if err != nil {
			replyJSON(w, http.StatusBadRequest, map[string]any{"status": "error", "errorType": "bad_data", "error": err.Error()})
			return
		}
		if err := f.committer.ready(store.OpDelete); err != nil {
			f.failSelected(w, nil, err)
			return
		}
		var keys []store.Key
		for g := range f.committer.store.View().All() {
			if r.Context().Err() != nil {
				return // nobody waits for it any more
			}
			if chosen.matches(g.Key()) {
				keys = append(keys, g.Key())
			}
		}
		if !dryRun {
			done, err := f.deleteAll(r.Context(), keys, originHTTP(r))
			if err != nil {
				f.failSelected(w, done, err)
				return
			}
		}
		replyJSON(w, http.StatusOK, map[string]any{"status": "success", "data": map[string]any{
			"dry_run": dryRun, "count": len(keys), "deleted": listSelected(keys),
		}})
	}
}

// selection is what to delete.
type selection struct {
	selectors selector.Selectors
	search    search.Search
}

func (s *selection) matches(key store.Key) bool {
	return s.selectors.Matches(key) && s.search.Matches(key)
}

// selectionOf reads what to delete. Something has to be asked for.
func selectionOf(r *http.Request) (chosen selection, dryRun bool, err error) {
	query := r.URL.Query()
	if chosen.selectors, err = selector.ParseAll(query["match[]"]); err != nil {
		return chosen, false, fmt.Errorf("parameter match[]: %w", err)
	}
	if chosen.search, err = search.Parse(query.Get("search")); err != nil {
		return chosen, false, fmt.Errorf("parameter search: %w", err)
	}
	switch {
	case query.Get("search") != "" && !chosen.search.Narrows():
		return chosen, false, errors.New("parameter search: it chooses groups by nothing that they have")
	case query.Get("search") == "" && len(chosen.selectors) == 0:
		return chosen, false, errors.New(`parameter match[] is missing: say which groups, for example match[]={job="x"}; all of them go by PUT /api/v1/admin/wipe`)
	}
	for _, s := range chosen.selectors {
		if !s.Narrows() {
			return chosen, false, fmt.Errorf("parameter match[]: %s chooses groups by nothing that they have: at least one label must not be allowed to be empty", s)
		}
	}
	if text := query.Get("dry-run"); text != "" {
		if dryRun, err = strconv.ParseBool(text); err != nil {
			return chosen, false, fmt.Errorf("parameter dry-run: %.40q is neither true nor false", text)
		}
	}
	return chosen, dryRun, nil
}

// deleteAll deletes groups and waits for the verdicts. It returns those that are
// deleted, and the first reason why others are not.
func (f *Front) deleteAll(ctx context.Context, keys []store.Key, origin string) (done []store.Key, failed error) {
	type verdict struct {
		key store.Key
		err error
	}
	verdicts := make(chan verdict, deletesAtOnce)
	waiting := 0
	receive := func() bool {
		select {
		case v := <-verdicts:
			waiting--
			f.settle(store.OpDelete, viaHTTP, v.key, v.err, func() string { return origin })
			if v.err == nil {
				done = append(done, v.key)
			} else if failed == nil {
				failed = v.err
			}
			return true
		case <-f.committer.ended:
			failed = refuse(CodeUnavailable, "the gateway is stopping")
			return false
		}
	}
	for _, key := range keys {
		if waiting == deletesAtOnce && !receive() || failed != nil {
			break
		}
		c := Change{Op: store.OpDelete, Key: key, Time: f.now(), Origin: origin}
		if failed = f.committer.Enqueue(ctx, c, func(err error) { verdicts <- verdict{key, err} }); failed != nil {
			break
		}
		waiting++
	}
	for waiting > 0 && receive() {
	}
	return done, failed
}

// failSelected answers that not all was deleted, with what was.
func (f *Front) failSelected(w http.ResponseWriter, done []store.Key, err error) {
	status := http.StatusInternalServerError
	var own *Error
	if errors.As(err, &own) {
		status = own.Status()
		if own.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(own.RetryAfter.Seconds())))
		}
	}
	replyJSON(w, status, map[string]any{"status": "error", "errorType": "unavailable", "error": err.Error(), "data": map[string]any{
		"count": len(done), "deleted": listSelected(done),
	}})
}

func listSelected(keys []store.Key) []selected {
	list := make([]selected, len(keys))
	for i, key := range keys {
		list[i] = selected{Group: key.Path(), Labels: key.Map()}
	}
	return list
}

// replyJSON answers in the form of the query API. A client that has gone gets
// nothing.
func replyJSON(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}
