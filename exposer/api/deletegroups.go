package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sluice/store"
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

// Deletion is the answer of DELETE /api/v1/groups, and beside an error that of
// which groups are deleted.
type Deletion struct {
	Count   int            `json:"count"`
	Deleted []DeletedGroup `json:"deleted"`
	// DryRun tells whether they would be deleted only. It is nil beside an error.
	DryRun *bool `json:"dry_run,omitempty"`
}

// DeletedGroup is a group that is deleted.
type DeletedGroup struct {
	Group  string            `json:"group"` // the path behind /metrics
	Labels map[string]string `json:"labels"`
}

// deleted is the form of the answer, whose fields have always been sorted.
type deleted struct {
	Data   Deletion `json:"data"`
	Status string   `json:"status"`
}

// DeleteGroups returns the handler that deletes the groups which the parameters
// match[] and search choose, living and dead, and answers which these were. With
// dry-run=true it only answers. Each group is deleted as by a request of its own: a
// push at the same time comes before or after that. If the stream fails in between,
// the answer is an error, with the groups that are deleted.
func (a *API) DeleteGroups(d Deleter) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		filter, dryRun, err := readDeletion(r.URL.Query())
		if err != nil {
			a.fail(w, err)
			return
		}
		if err := d.ReadyToDelete(); err != nil {
			a.failDeletion(w, nil, err)
			return
		}
		var keys []store.Key
		for g := range a.store.View().All() {
			if filter.matches(g.Key()) {
				keys = append(keys, g.Key())
			}
		}
		if !dryRun {
			done, err := d.DeleteGroups(r.Context(), keys, r.RemoteAddr)
			if err != nil {
				a.failDeletion(w, done, err)
				return
			}
		}
		answer := deletionOf(keys)
		answer.DryRun = &dryRun
		a.write(w, http.StatusOK, deleted{answer, "success"})
	}
}

// readDeletion reads which groups to delete. The parameters must not choose all
// groups by mistake.
func readDeletion(query url.Values) (filter Filter, dryRun bool, err error) {
	if filter, err = readFilter(query); err != nil {
		return filter, false, err
	}
	searched := query.Get("search") != ""
	switch {
	case searched && !filter.search.Narrows():
		return filter, false, badParameter("search", "it chooses groups by nothing that they have")
	case !searched && len(filter.selectors) == 0:
		return filter, false, &Error{http.StatusBadRequest, kindBadData,
			`parameter match[] is missing: say which groups, for example match[]={job="x"}; all of them go by PUT /api/v1/admin/wipe`}
	}
	for _, s := range filter.selectors {
		if !s.Narrows() {
			return filter, false, badParameter("match[]", fmt.Sprintf("%s chooses groups by nothing that they have: at least one label must not be allowed to be empty", s))
		}
	}
	if text := query.Get("dry-run"); text != "" {
		dryRun, err = parseBool("dry-run", text)
	}
	return filter, dryRun, err
}

// failDeletion answers that not all groups are deleted, with those that are.
func (a *API) failDeletion(w http.ResponseWriter, done []store.Key, err error) {
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
	a.write(w, status, failure{Status: "error", Data: deletionOf(done), Error: err.Error(), Kind: kindUnavailable})
}

func deletionOf(keys []store.Key) Deletion {
	d := Deletion{Count: len(keys), Deleted: make([]DeletedGroup, len(keys))}
	for i, key := range keys {
		d.Deleted[i] = DeletedGroup{Group: key.Path(), Labels: key.Map()}
	}
	return d
}
