package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"sluice/cmd/sluice/client"
	"sluice/exposer/api"
)

// groupsPage is how many groups are asked for at once: the most that there are
// in an answer.
const groupsPage = 1000

func groupsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: "match", Value: &list{}, Usage: "`selector` of groups over their labels, {job=\"backup\",instance=~\"db.*\"}; several choose what one of them chooses"},
		&cli.IntFlag{Name: "limit", Usage: "most `groups` to list; 0 is no limit"},
		&cli.BoolFlag{Name: "json", Usage: "print JSON instead of a table"},
	}
}

// groupsPrinter prints groups page by page: there may be a million.
type groupsPrinter interface {
	// page prints groups, which the data of an answer has as JSON.
	page(groups []api.GroupSummary, data json.RawMessage) error
	end(total int) error
}

func groupsAction(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	if c.Int("limit") < 0 {
		return errors.New("--limit: must not be negative")
	}
	h, err := newHTTP(c)
	if err != nil {
		return err
	}
	defer h.Close()
	var out groupsPrinter = &groupsTable{w: c.App.Writer, notes: c.App.ErrWriter}
	if c.Bool("json") {
		out = &groupsJSON{w: c.App.Writer}
	}
	return listGroups(c.Context, h, listOf(c, "match"), c.Int("limit"), out)
}

// listGroups asks for page after page, until it has limit groups (0 is all).
func listGroups(ctx context.Context, h *client.HTTP, match []string, limit int, out groupsPrinter) error {
	query := url.Values{"match[]": match}
	left, after := limit, ""
	for {
		want := groupsPage
		if limit > 0 {
			want = min(want, left)
		}
		query.Set("limit", strconv.Itoa(want))
		if after != "" {
			query.Set("after", after)
		}
		data, err := apiData(ctx, h, "/groups", query)
		if err != nil {
			return fmt.Errorf("cannot list groups: %w", err)
		}
		var answer api.GroupList
		if err := json.Unmarshal(data, &answer); err != nil {
			return fmt.Errorf("cannot read the list of groups: %w", err)
		}
		if err := out.page(answer.Groups, data); err != nil {
			return err
		}
		left -= len(answer.Groups)
		if answer.Next == "" || limit > 0 && left <= 0 {
			return out.end(answer.Total)
		}
		if answer.Next <= after {
			return fmt.Errorf("cannot list groups: the gateway says that %s comes after %s, but it does not", answer.Next, after)
		}
		after = answer.Next
	}
}

// groupsTable prints a line for each group. Each page has its own column widths.
type groupsTable struct {
	w, notes io.Writer
	printed  int
}

func (t *groupsTable) page(groups []api.GroupSummary, _ json.RawMessage) error {
	w := tabwriter.NewWriter(t.w, 0, 0, 2, ' ', 0)
	if t.printed == 0 {
		fmt.Fprintln(w, "GROUP\tSTATE\tSERIES\tPUSHED\tEXPIRES\tORIGIN")
	}
	for _, g := range groups {
		state := "down" // no push was accepted yet
		switch {
		case g.Up:
			state = "up"
		case g.Forgotten != nil:
			state = "dead"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", cell(g.Group), state, g.Series, timeCell(g.PushTime), timeCell(g.Expires), cell(g.Origin))
	}
	t.printed += len(groups)
	return w.Flush()
}

func (t *groupsTable) end(total int) error {
	if t.printed >= total {
		return nil
	}
	_, err := fmt.Fprintf(t.notes, "%d of %d groups (--limit)\n", t.printed, total)
	return err
}

// groupsJSON prints one object in the form of the API, with all groups in it.
type groupsJSON struct {
	w       io.Writer
	printed int
}

func (j *groupsJSON) page(_ []api.GroupSummary, data json.RawMessage) error {
	// As it came, so that fields of a newer gateway are printed, too.
	var answer struct {
		Groups []json.RawMessage `json:"groups"`
	}
	err := json.Unmarshal(data, &answer)
	for _, raw := range answer.Groups {
		before := ",\n"
		if j.printed == 0 {
			before = "{\"groups\":[\n"
		}
		_, failed := fmt.Fprintf(j.w, "%s%s", before, raw)
		err = cmp.Or(err, failed)
		j.printed++
	}
	return err
}

func (j *groupsJSON) end(total int) error {
	before := "\n"
	if j.printed == 0 {
		before = "{\"groups\":["
	}
	_, err := fmt.Fprintf(j.w, "%s],\"total\":%d}\n", before, total)
	return err
}
