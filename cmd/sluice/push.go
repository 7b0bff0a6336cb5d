package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/urfave/cli/v2"

	"sluice/cmd/sluice/client"
)

const (
	// textFormat is what is pushed unless --content-type says otherwise.
	textFormat = "text/plain; version=0.0.4; charset=utf-8"
	// maxInput bounds the metrics of one push in bytes: twice the largest event
	// that a stream can hold, and so more than any gateway takes. What is smaller
	// and still too large the gateway refuses, with its own limit.
	maxInput = 64 << 20
)

func pushFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "method", Value: "post", Usage: "post (replace the metrics of the same names) or put (replace the whole group)"},
		&cli.StringFlag{Name: "ttl", Usage: "`time` that the group lives after this push, such as 25h or 7d, or never"},
		&cli.StringFlag{Name: "content-type", Value: textFormat, Usage: "media `type` of the metrics"},
		&cli.BoolFlag{Name: "gzip", Usage: "compress the metrics on their way"},
	}
}

func pushAction(c *cli.Context) error {
	method := strings.ToLower(c.String("method"))
	if method != "post" && method != "put" {
		return fmt.Errorf("--method: unknown value %q: it is post or put", c.String("method"))
	}
	if c.NArg() > 1 {
		return fmt.Errorf("unexpected argument %q: flags come first, then one file or - for standard input", c.Args().Get(1))
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
	change := client.Change{Method: method, Group: group, TTL: c.String("ttl"), ContentType: c.String("content-type")}
	if change.Body, err = readInput(c.Context, c.App.Reader, c.Args().First()); err != nil {
		return err
	}
	if c.Bool("gzip") {
		change.Body, change.ContentEncoding = gzipped(change.Body), "gzip"
	}
	if err := to.Change(c.Context, change); err != nil {
		return fmt.Errorf("cannot push to %s: %w", group, err)
	}
	return nil
}

// readInput reads a file, or standard input where it is "" or "-", until its
// end. The program that writes it may take any time, so the time of the push
// begins afterwards.
func readInput(ctx context.Context, stdin io.Reader, name string) ([]byte, error) {
	in, called := stdin, "standard input"
	if name != "" && name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("cannot read metrics: %w", err)
		}
		defer file.Close()
		in, called = file, name
	}
	type input struct {
		body []byte
		err  error
	}
	// Not waited for if ctx ends: reading a terminal or a pipe cannot be ended,
	// and the process ends anyway.
	read := make(chan input, 1)
	go func() {
		body, err := io.ReadAll(io.LimitReader(in, maxInput+1))
		read <- input{body, err}
	}()
	select {
	case got := <-read:
		if got.err != nil {
			return nil, fmt.Errorf("cannot read metrics from %s: %w", called, got.err)
		}
		if len(got.body) > maxInput {
			return nil, fmt.Errorf("%s has more than %d bytes, which no gateway takes in one push", called, maxInput)
		}
		return got.body, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("cannot read metrics from %s: %w", called, context.Cause(ctx))
	}
}

func gzipped(body []byte) []byte {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(body) // into memory: it cannot fail
	w.Close()
	return packed.Bytes()
}
