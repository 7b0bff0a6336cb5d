package page

import (
	"strconv"
	"strings"
	"time"
)

// What the API answers, as docs/api.md has it. Fields that the page does not
// show are left out.

type groupList struct {
	Ready  bool    `json:"ready"`
	Groups []group `json:"groups"`
	Total  int     `json:"total"`
	Offset int     `json:"offset"`
	Counts counts  `json:"counts"`
}

type counts struct {
	All     int `json:"all"`
	Failing int `json:"failing"`
	Dead    int `json:"dead"`
	Never   int `json:"never"`
	Up      int `json:"up"`
}

type group struct {
	Group       string            `json:"group"`
	Labels      map[string]string `json:"labels"`
	State       string            `json:"state"`
	PushTime    *time.Time        `json:"push_time"`
	FailureTime *time.Time        `json:"push_failure_time"`
	LastRefusal string            `json:"last_refusal"`
	RefusalTime *time.Time        `json:"last_refusal_time"`
	Expires     *time.Time        `json:"expires"`
	Forgotten   *time.Time        `json:"forgotten"`
	TTL         float64           `json:"ttl_seconds"`
	Families    int               `json:"families"`
	Series      int               `json:"series"`
	Origin      string            `json:"origin"`
	Sequence    uint64            `json:"sequence"`
	Pushers     []pusher          `json:"pushers"`
	Contended   bool              `json:"contended"`
}

type pusher struct {
	Origin string    `json:"origin"`
	Time   time.Time `json:"time"`
	Pushes int       `json:"pushes"`
}

// From is who pushes the group: the last one that is known. What has made it dead
// is nobody.
func (g group) From() string {
	switch {
	case len(g.Pushers) > 0:
		return byTime(g.Pushers)[0].Origin
	case g.State == "dead":
		return ""
	}
	return g.Origin
}

// Refused is when a push to the group was last refused, nil if never.
func (g group) Refused() *time.Time {
	if g.RefusalTime != nil {
		return g.RefusalTime
	}
	return g.FailureTime
}

// oneGroup is a group with its families.
type oneGroup struct {
	group
	Families  []family `json:"families"`
	Truncated bool     `json:"truncated"`
}

type family struct {
	Name      string    `json:"name"`
	Type      string    `json:"type"`
	Help      string    `json:"help"`
	Unit      string    `json:"unit"`
	PushTime  time.Time `json:"push_time"`
	Truncated bool      `json:"truncated"`
	Metrics   []metric  `json:"metrics"`
}

// metric has a value, or a sum and a count with buckets, quantiles or a native
// histogram.
type metric struct {
	Labels    map[string]string `json:"labels"`
	Value     string            `json:"value"`
	Timestamp string            `json:"timestamp"`
	Sum       string            `json:"sum"`
	Count     string            `json:"count"`
	Buckets   []bucket          `json:"buckets"`
	Quantiles []quantile        `json:"quantiles"`
	Native    *native           `json:"native"`
}

type bucket struct {
	LE    string `json:"le"`
	Count string `json:"count"` // cumulative
}

type quantile struct {
	Quantile string `json:"quantile"`
	Value    string `json:"value"`
}

type native struct {
	Schema  int            `json:"schema"`
	Buckets []nativeBucket `json:"buckets"`
}

type nativeBucket struct {
	Lower number `json:"lower"`
	Upper number `json:"upper"`
	Count number `json:"count"`
}

// number is a float that the API writes as a text, since it may be infinite.
type number float64

func (n *number) UnmarshalText(text []byte) error {
	v, err := strconv.ParseFloat(string(text), 64)
	*n = number(v)
	return err
}

type history struct {
	Kept    int     `json:"kept"`
	Entries []entry `json:"entries"`
	Values  struct {
		Series    []valueSeries `json:"series"`
		Truncated bool          `json:"truncated"`
	} `json:"values"`
}

type entry struct {
	Sequence     uint64    `json:"sequence"`
	Time         time.Time `json:"time"`
	Op           string    `json:"op"`
	Replaced     bool      `json:"replaced"` // by a PUT
	Origin       string    `json:"origin"`
	Families     int       `json:"families"`
	Series       int       `json:"series"`
	Added        []string  `json:"added"`
	Removed      []string  `json:"removed"`
	AddedTotal   int       `json:"added_total"`
	RemovedTotal int       `json:"removed_total"`
	Changed      int       `json:"changed"`
	Refusal      string    `json:"refusal"`
	Truncated    bool      `json:"truncated"`
}

type valueSeries struct {
	Name   string      `json:"name"`
	Points [][2]string `json:"points"` // time and value
}

type stream struct {
	Ready     bool   `json:"ready"`
	Connected bool   `json:"connected"`
	Waiting   string `json:"waiting"`
	Replaying *struct {
		Done  uint64 `json:"done"`
		Total uint64 `json:"total"`
	} `json:"replaying"`
	Sequence  uint64 `json:"sequence"`
	Applied   uint64 `json:"applied"`
	Lag       uint64 `json:"lag"`
	Bytes     uint64 `json:"bytes"`
	Events    uint64 `json:"events"`
	History   int    `json:"history"`
	Conflicts uint64 `json:"conflicts"`
	Damaged   uint64 `json:"damaged"`
	Holes     uint64 `json:"holes"`
	Missing   uint64 `json:"missing"`
	Server    string `json:"server"`
	URL       string `json:"url"`
	Cluster   *struct {
		Name string `json:"name"`
	} `json:"cluster"`
}

// replaying is what a gateway does after its start.
const replaying = "replaying the stream"

// busy says why the gateway is not ready, "" if it is.
func (s *stream) busy() string {
	switch {
	case s == nil || s.Ready && s.Connected:
		return ""
	case s.Ready:
		return "the stream cannot be reached: scrapes go on, pushes are refused"
	case s.Waiting == "" && s.Replaying != nil, strings.HasPrefix(s.Waiting, replaying):
		return replaying // how far it is stands beside it
	case s.Waiting != "":
		return s.Waiting
	}
	return "starting"
}

type cluster struct {
	Name   string `json:"name"`
	Error  string `json:"error"`
	Stream *struct {
		Name     string `json:"name"`
		Replicas int    `json:"replicas"`
		Leader   string `json:"leader"`
		Last     uint64 `json:"last_sequence"`
		Copies   []struct {
			Server  string  `json:"server"`
			Leader  bool    `json:"leader"`
			Current bool    `json:"current"`
			Offline bool    `json:"offline"`
			Lag     uint64  `json:"lag"`
			Active  float64 `json:"active_seconds"`
		} `json:"copies"`
	} `json:"stream"`
	Gateways []struct {
		ID        string    `json:"id"`
		Server    string    `json:"server"`
		Version   string    `json:"version"`
		Self      bool      `json:"self"`
		Ready     bool      `json:"ready"`
		Connected bool      `json:"connected"`
		Applied   uint64    `json:"applied_sequence"`
		Digest    string    `json:"digest"`
		Settled   bool      `json:"settled"`
		Started   time.Time `json:"started"`
	} `json:"gateways"`
	Agreement struct {
		Sequence uint64 `json:"sequence"`
		Agree    *bool  `json:"agree"`
		Gateways int    `json:"gateways"`
	} `json:"agreement"`
}

type status struct {
	Build map[string]string `json:"build_information"`
	Flags map[string]string `json:"flags"`
	Start time.Time         `json:"start_time"`
}

// admin tells whether the admin API is enabled.
func (s status) admin() bool { return s.Flags["web.enable-admin-api"] == "true" }
