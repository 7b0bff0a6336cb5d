package e2e

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
)

// A verdict is the answer to a push, over HTTP or NATS.
type verdict struct {
	Code  int    `json:"code"`
	Error string `json:"error"`
}

// A transport carries pushes. The key is the URL's part behind /metrics, for
// example /job/backup/instance/db1. An error means that no verdict came.
type transport interface {
	send(method, key, body string, headers ...string) (verdict, error)
}

// overHTTP is the push API.
type overHTTP struct{ *sluice }

func (h overHTTP) send(method, key, body string, headers ...string) (verdict, error) {
	a, err := h.do(method, "/metrics"+key, body, headers...)
	return verdict{a.code, strings.TrimSpace(a.body)}, err
}

// overNATS is requests whose subjects mirror the URL.
type overNATS struct{ conn *nats.Conn }

func (n overNATS) send(method, key, body string, headers ...string) (verdict, error) {
	return request(n.conn, pushSubject(method, key), body, headers...)
}

// pushSubject returns the subject for a key whose parts need no escaping.
func pushSubject(method, key string) string {
	return "sluice.push." + strings.ToLower(method) + strings.ReplaceAll(key, "/", ".")
}

// request sends one push to a subject and waits for the verdict.
func request(conn *nats.Conn, subject, body string, headers ...string) (verdict, error) {
	message := nats.NewMsg(subject)
	message.Data = []byte(body)
	for i := 0; i+1 < len(headers); i += 2 {
		message.Header.Set(headers[i], headers[i+1])
	}
	reply, err := conn.RequestMsg(message, requestBound)
	if err != nil {
		return verdict{}, err
	}
	var v verdict
	if err := json.Unmarshal(reply.Data, &v); err != nil {
		return verdict{}, fmt.Errorf("reply %q: %w", reply.Data, err)
	}
	return v, nil
}

// keyOf returns the part of a group's URL behind /metrics.
func keyOf(job, instance string) string {
	return strings.TrimPrefix(groupPath(job, instance), "/metrics")
}
