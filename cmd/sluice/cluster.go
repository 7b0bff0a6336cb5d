package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"sluice/bus"
	"sluice/exposer/api"
	"sluice/store/words"
)

// clusterAnswer is the answer of /api/v1/cluster. A gateway of another version may
// leave out what is a pointer here; it is printed as "-".
type clusterAnswer struct {
	api.Cluster
	Stream *struct {
		bus.StreamState
		Copies []struct {
			bus.StreamCopy
			ActiveSeconds *float64 `json:"active_seconds"`
		} `json:"copies"`
	} `json:"stream"`
	Gateways []struct {
		bus.Gateway
		Digest *bus.Sum `json:"digest"`
	} `json:"gateways"`
}

func clusterFlags() []cli.Flag {
	return []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print JSON instead of tables"}}
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
	var state clusterAnswer
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
	return errors.Join(err, troubleOf(&state))
}

// troubleOf says what is wrong with a cluster, nil if nothing is. Gateways that
// cannot be compared yet are no trouble.
func troubleOf(s *clusterAnswer) error {
	found := troubleOfStream(s)
	if m := s.Members; m != nil {
		if m.Connected < m.Size {
			found = append(found, fmt.Sprintf("%d of %s connected", m.Connected, words.Count(m.Size, "member", "members")))
		}
		if len(s.Gateways) < m.Size {
			found = append(found, fmt.Sprintf("%s, of %d members", words.Count(len(s.Gateways), "gateway answers", "gateways answer"), m.Size))
		}
	}
	for _, g := range s.Gateways {
		if !g.Ready {
			found = append(found, "the gateway "+cell(g.ID)+" is not ready")
		}
		if !g.Connected {
			found = append(found, "the gateway "+cell(g.ID)+" cannot reach the stream")
		}
	}
	if a := s.Agreement; a.Agree != nil && !*a.Agree {
		found = append(found, fmt.Sprintf("the gateways do not agree at sequence %d", a.Sequence))
	}
	if len(found) == 0 {
		return nil
	}
	return errors.New(strings.Join(found, "; "))
}

// silentAfter is how long a copy may be silent, in seconds. The leader hears from
// each copy every second.
const silentAfter = 10

// troubleOfStream says what is wrong with the stream and its copies. A server that
// was killed is neither offline nor behind for the leader until the next event.
func troubleOfStream(s *clusterAnswer) (found []string) {
	if s.Stream == nil {
		return []string{"the stream does not answer"}
	}
	if s.Stream.Leader == "" && s.Stream.Replicas > 1 {
		found = append(found, "the stream has no leader")
	}
	if copies := len(s.Stream.Copies); copies > 0 && copies < s.Stream.Replicas {
		found = append(found, fmt.Sprintf("the stream has %d of %d copies", copies, s.Stream.Replicas))
	}
	for _, one := range s.Stream.Copies {
		what := "the copy on " + cell(one.Server)
		switch {
		case one.Offline:
			found = append(found, what+" is offline")
		case one.ActiveSeconds != nil && *one.ActiveSeconds > silentAfter:
			found = append(found, fmt.Sprintf("%s has been silent for %.0f s", what, *one.ActiveSeconds))
		case !one.Current && one.Lag > 0:
			found = append(found, fmt.Sprintf("%s is behind by %s", what, words.Count(int(one.Lag), "entry", "entries")))
		case !one.Current:
			found = append(found, what+" is behind")
		}
	}
	return found
}

func printCluster(out io.Writer, s *clusterAnswer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	name := cell(s.Name)
	if m := s.Members; m != nil {
		name += fmt.Sprintf(", %d of %s connected", m.Connected, words.Count(m.Size, "member", "members"))
	}
	fmt.Fprintf(w, "cluster\t%s\n", name)
	if s.Stream == nil {
		fmt.Fprintf(w, "stream\tdoes not answer: %s\n", cell(s.Error))
	} else {
		fmt.Fprintf(w, "stream\t%s, leader %s, replicas %d, last sequence %d\n", cell(s.Stream.Name), cell(s.Stream.Leader), s.Stream.Replicas, s.Stream.Last)
	}
	fmt.Fprintf(w, "agreement\t%s\n", agreementText(s.Agreement))
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
			digest := "-"
			if g.Digest != nil {
				digest = g.Digest.String()
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", id, cell(g.Server), cell(g.Version), yesNo(g.Ready), yesNo(g.Connected),
				g.Applied, digest, yesNo(g.Settled), timeCell(&g.Started))
		}
	}
	return w.Flush()
}

// agreementText is the agreement of gateways in words.
func agreementText(a api.Agreement) string {
	switch {
	case a.Agree == nil:
		return "not known: there is no sequence at which all gateways have a digest"
	case *a.Agree:
		return fmt.Sprintf("%s the same state at sequence %d", words.Count(a.Gateways, "gateway has", "gateways have"), a.Sequence)
	default:
		return fmt.Sprintf("%d gateways do NOT have the same state at sequence %d", a.Gateways, a.Sequence)
	}
}
