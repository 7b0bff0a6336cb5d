package page

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// refused is an answer of the API that is no success.
type refused struct {
	code int
	text string
}

func (e *refused) Error() string { return e.text }

// answer keeps what the API writes. Its size is bounded by the limits that the
// page asks with.
type answer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(code int) {
	if a.code == 0 {
		a.code = code
	}
}

func (a *answer) Write(text []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(text)
}

// ask gets an endpoint of the API in process. An error is a *refused where the
// API has answered by one.
func ask[T any](ctx context.Context, api http.Handler, path string, query url.Values) (T, error) {
	var data T
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, path+"?"+query.Encode(), nil)
	if err != nil {
		return data, fmt.Errorf("cannot ask %s: %w", path, err)
	}
	a := &answer{header: http.Header{}}
	api.ServeHTTP(a, r)
	var body struct {
		Data  T      `json:"data"`
		Error string `json:"error"`
	}
	err = json.Unmarshal(a.body.Bytes(), &body)
	if a.code >= 300 || a.code == 0 {
		if body.Error == "" {
			body.Error = fmt.Sprintf("/api/v1%s answered %d", path, a.code)
		}
		return data, &refused{a.code, body.Error}
	}
	if err != nil {
		return data, fmt.Errorf("cannot read the answer of %s: %w", path, err)
	}
	return body.Data, nil
}
