package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"sluice/cmd/sluice/client"
	"sluice/exposer/api"
)

// maxAnswer bounds in bytes what is read of one answer of the API: a page of
// groups has at most 1,000 of some kB each.
const maxAnswer = 64 << 20

// apiData asks an endpoint below /api/v1 and returns the data of its answer.
func apiData(ctx context.Context, h *client.HTTP, path string, query url.Values) (json.RawMessage, error) {
	body, err := h.Get(ctx, "/api/v1"+path, query, maxAnswer)
	if err != nil {
		return nil, err
	}
	var answer api.Answer
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("the answer of /api/v1%s cannot be read: %w", path, err)
	}
	if answer.Status != "success" {
		return nil, fmt.Errorf("the answer of /api/v1%s has status %q: %s", path, client.Printable(answer.Status), client.Printable(answer.Error))
	}
	return answer.Data, nil
}

// cell is a text in a table: without what would break it, and never empty.
func cell(text string) string {
	if text == "" {
		return "-"
	}
	out := []rune(client.Printable(text))
	for i, r := range out {
		if r == '\n' {
			out[i] = ' '
		}
	}
	return string(out)
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// timeCell writes a time that may be nil or zero for never.
func timeCell(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
