package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"
)

func clusterFlags() []cli.Flag {
	return []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print JSON instead of tables"}}
}

// clusterState is the data of /api/v1/cluster.
type clusterState struct {
	Name      string            `json:"name"`   // "" without a cluster of embedded servers
	Stream    *clusterStream    `json:"stream"` // nil if it does not answer
	Error     string            `json:"error"`  // why not
	Gateways  []clusterGateway  `json:"gateways"`
	Agreement *clusterAgreement `json:"agreement"`
}

type clusterStream struct {
	Name         string        `json:"name"`
	Replicas     int           `json:"replicas"`
	Leader       string        `json:"leader"` // "" while there is none
	LastSequence uint64        `json:"last_sequence"`
	Copies       []clusterCopy `json:"copies"`
}

type clusterCopy struct {
	Server        string   `json:"server"`
	Leader        bool     `json:"leader"`
	Current       bool     `json:"current"`
	Offline       bool     `json:"offline"`
	Lag           uint64   `json:"lag"`
	ActiveSeconds *float64 `json:"active_seconds"`
}

type clusterGateway struct {
	ID              string     `json:"id"`
	Server          string     `json:"server"`
	Version         string     `json:"version"`
	Self            bool       `json:"self"`
	Ready           bool       `json:"ready"`
	Connected       bool       `json:"connected"`
	AppliedSequence uint64     `json:"applied_sequence"`
	Digest          string     `json:"digest"`
	Settled         bool       `json:"settled"`
	Started         *time.Time `json:"started"`
}

type clusterAgreement struct {
	Sequence uint64 `json:"sequence"` // 0 if there is none at which all have a digest
	Agree    *bool  `json:"agree"`    // nil while nobody can tell
	Gateways int    `json:"gateways"`
}

// clusterAction prints what a gateway knows of all, and fails if something is
// wrong with it.
func clusterAction(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	h, err := newHTTP(c)
	if err != nil {
		return err
	}
	defer h.Close()
	data, err := apiData(c.Context, h, "/cluster", nil)
	if err != nil {
		return fmt.Errorf("cannot ask for the cluster: %w", err)
	}
	var state clusterState
	if err := json.Unmarshal(data, &state); err != nil {
		return fmt.Errorf("cannot read the state of the cluster: %w", err)
	}
	if c.Bool("json") {
		var indented bytes.Buffer
		json.Indent(&indented, data, "", "  ") // it has been read: it is JSON
		_, err = fmt.Fprintln(c.App.Writer, indented.String())
	} else {
		err = printCluster(c.App.Writer, &state)
	}
	return errors.Join(err, state.trouble())
}

// trouble says what is wrong, nil if nothing is. What nobody can tell yet is no
// trouble.
func (s *clusterState) trouble() error {
	var found []string
	switch {
	case s.Stream == nil:
		found = append(found, "the stream does not answer")
	case s.Stream.Leader == "" && s.Stream.Replicas > 1:
		found = append(found, "the stream has no leader")
	}
	if s.Stream != nil {
		for _, one := range s.Stream.Copies {
			if one.Offline {
				found = append(found, "the copy on "+cell(one.Server)+" is offline")
			}
		}
	}
	if a := s.Agreement; a != nil && a.Agree != nil && !*a.Agree {
		found = append(found, fmt.Sprintf("the gateways do not agree at sequence %d", a.Sequence))
	}
	if len(found) == 0 {
		return nil
	}
	return errors.New(strings.Join(found, "; "))
}

func printCluster(out io.Writer, s *clusterState) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "cluster\t%s\n", cell(s.Name))
	if s.Stream == nil {
		fmt.Fprintf(w, "stream\tdoes not answer: %s\n", cell(s.Error))
	} else {
		fmt.Fprintf(w, "stream\t%s, leader %s, replicas %d, last sequence %d\n", cell(s.Stream.Name), cell(s.Stream.Leader), s.Stream.Replicas, s.Stream.LastSequence)
	}
	fmt.Fprintf(w, "agreement\t%s\n", s.Agreement)
	w.Flush() // the columns below are others
	if s.Stream != nil && len(s.Stream.Copies) > 0 {
		fmt.Fprintln(w, "\nCOPY\tLEADER\tCURRENT\tOFFLINE\tLAG\tACTIVE")
		for _, one := range s.Stream.Copies {
			active := "-"
			if one.ActiveSeconds != nil {
				active = fmt.Sprintf("%.1fs ago", *one.ActiveSeconds)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", cell(one.Server), yesNo(one.Leader), yesNo(one.Current), yesNo(one.Offline), one.Lag, active)
		}
		w.Flush()
	}
	if len(s.Gateways) > 0 {
		fmt.Fprintln(w, "\nGATEWAY\tSERVER\tVERSION\tREADY\tCONNECTED\tAPPLIED\tDIGEST\tSETTLED\tSTARTED")
		for _, g := range s.Gateways {
			id := cell(g.ID)
			if g.Self {
				id += " (asked)"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", id, cell(g.Server), cell(g.Version), yesNo(g.Ready), yesNo(g.Connected),
				g.AppliedSequence, cell(g.Digest), yesNo(g.Settled), timeCell(g.Started))
		}
	}
	return w.Flush()
}

// String is the agreement in words.
func (a *clusterAgreement) String() string {
	switch {
	case a == nil || a.Agree == nil:
		return "not known: there is no sequence at which all gateways have a digest"
	case *a.Agree:
		return fmt.Sprintf("%d gateways have the same state at sequence %d", a.Gateways, a.Sequence)
	default:
		return fmt.Sprintf("%d gateways do NOT have the same state at sequence %d", a.Gateways, a.Sequence)
	}
}
