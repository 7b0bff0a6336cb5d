package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"sluice/store"
	"sluice/store/search"
	"sluice/store/selector"
)

// Deleter deletes groups for the API. An error that has the methods
// Status() int and Retry() time.Duration says by them how it is answered: the
// HTTP status, and after how long the client may try again, 0 where that does not
// help.
type Deleter interface {
	// ReadyToDelete returns why no group can be deleted now, nil if groups can.
	ReadyToDelete() error
	// DeleteGroups deletes groups for the client at an address (host:port), and
	// waits until each is gone from the store, or ctx ends. It returns those that
	// are deleted, and the first reason why others are not.
	DeleteGroups(ctx context.Context, keys []store.Key, client string) ([]store.Key, error)
}

// selected is a group in the answer.
type selected struct {
	Group  string            `json:"group"`
	Labels map[string]string `json:"labels"`
}

// DeleteGroups returns the handler that deletes the groups which a match[]
// parameter and the parameter search choose, living and dead, and answers which these were. With
// dry-run=true it only says so. Each group is deleted like by a request of its
// own: what is pushed meanwhile comes first or afterwards. If the stream fails in
// between, the answer is an error with those that are deleted.
func (a *API) DeleteGroups(d Deleter) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		chosen, dryRun, err := selectionOf(r)
		if err != nil {
			replyJSON(w, http.StatusBadRequest, map[string]any{"status": "error", "errorType": "bad_data", "error": err.Error()})
			return
		}
		if err := d.ReadyToDelete(); err != nil {
			failSelected(w, nil, err)
			return
		}
		var keys []store.Key
		for g := range a.store.View().All() {
			if r.Context().Err() != nil {
				return // nobody waits for it any more
			}
			if chosen.matches(g.Key()) {
				keys = append(keys, g.Key())
			}
		}
		if !dryRun {
			done, err := d.DeleteGroups(r.Context(), keys, r.RemoteAddr)
			if err != nil {
				failSelected(w, done, err)
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

// failSelected answers that not all was deleted, with what was.
func failSelected(w http.ResponseWriter, done []store.Key, err error) {
	status := http.StatusInternalServerError
	var refused interface {
		Status() int
		Retry() time.Duration
	}
	if errors.As(err, &refused) {
		status = refused.Status()
		if retry := refused.Retry(); retry > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(retry.Seconds())))
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
