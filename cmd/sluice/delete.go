package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"sluice/cmd/sluice/client"
)

// deleteAction deletes a group, and succeeds also if there is none, as
// Pushgateway does.
func deleteAction(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	group, err := groupOf(c)
	if err != nil {
		return err
	}
	to, err := newTransport(c)
	if err != nil {
		return err
	}
	defer to.Close()
	if err := to.Change(c.Context, client.Change{Method: "delete", Group: group}); err != nil {
		return fmt.Errorf("cannot delete %s: %w", group, err)
	}
	return nil
}
