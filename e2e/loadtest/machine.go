package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sluice/e2e/gateway"
)

// rounds is how often each load runs; an odd number has a median.
const rounds = 3

// machine runs the binaries and loadgen's commands.
type machine struct {
	bin      string
	duration time.Duration
	conns    int
}

// load fills a fresh Sluice, loads it, and scrapes it.
func (m machine) load(ctx context.Context, dataDir string, r *result) error {
	g, url, _, err := m.start(ctx, dataDir)
	if err != nil {
		return err
	}
	defer g.Kill()
	fill, err := m.loadgen(ctx, url, "fill", r.groups, "--wait-visible")
	if err != nil {
		return err
	}
	r.fill = fill.Rate
	if err := m.push(ctx, url, r); err != nil {
		return err
	}
	if r.scrape, err = m.loadgen(ctx, url, "scrape", 0, "--n", "10"); err != nil {
		return err
	}
	if r.gzipScrape, err = m.loadgen(ctx, url, "scrape", 0, "--n", "10", "--gzip"); err != nil {
		return err
	}
	r.loadedRSS = residentBytes(g.PID())
	code, err := g.Terminate()
	if err == nil && code != 0 {
		err = fmt.Errorf("sluice ended with code %d:\n%s", code, g.Log())
	}
	return err
}

// push loads Sluice and the anchors in turn, so that a machine that is busy with
// something else is so for all of them, and keeps the median of each.
func (m machine) push(ctx context.Context, url string, r *result) error {
	var readOnly, parseOnly, push [rounds]report
	for i := range rounds {
		var err error
		if readOnly[i], err = m.anchor(ctx, r.groups, "none"); err != nil {
			return err
		}
		if parseOnly[i], err = m.anchor(ctx, r.groups, "expfmt"); err != nil {
			return err
		}
		if push[i], err = m.loadgen(ctx, url, "push", r.groups, "--duration", m.duration.String()); err != nil {
			return err
		}
	}
	r.readOnly, r.parseOnly, r.push = median(readOnly), median(parseOnly), median(push)
	return nil
}

// replay starts Sluice on what load has left.
func (m machine) replay(ctx context.Context, dataDir string, r *result) error {
	g, url, took, err := m.start(ctx, dataDir)
	if err != nil {
		return err
	}
	defer g.Kill()
	r.replay = took
	r.replayedRSS = residentBytes(g.PID())
	check, err := m.loadgen(ctx, url, "scrape", 0, "--n", "1")
	if err == nil && check.Groups != r.groups {
		err = fmt.Errorf("%d groups after the replay, want %d", check.Groups, r.groups)
	}
	return err
}

// start starts Sluice and returns how long it took to be ready.
func (m machine) start(ctx context.Context, dataDir string) (g *gateway.Gateway, url string, took time.Duration, err error) {
	start := time.Now()
	g, err = gateway.Start(gateway.Options{
		Binary: filepath.Join(m.bin, "sluice"),
		Args:   []string{"serve", "--web.listen-address=127.0.0.1:0", "--bus.data-dir=" + dataDir, "--bus.sync=interval", "--log.format=logfmt"},
	})
	if err != nil {
		return nil, "", 0, err
	}
	address, err := g.HTTPAddress()
	if err == nil {
		url = "http://" + address
		err = g.WaitReady(ctx, http.DefaultClient, url)
	}
	if err != nil {
		g.Kill()
		return nil, "", 0, err
	}
	return g, url, time.Since(start), nil
}

// anchor measures a handler that does no more than its parser says.
func (m machine) anchor(ctx context.Context, groups int, parser string) (report, error) {
	address, err := freeAddress()
	if err != nil {
		return report{}, err
	}
	anchor := exec.CommandContext(ctx, filepath.Join(m.bin, "anchors"), "--listen", address, "--parse", parser)
	anchor.Stderr = os.Stderr
	if err := anchor.Start(); err != nil {
		return report{}, err
	}
	defer func() {
		anchor.Process.Kill()
		anchor.Wait()
	}()
	url := "http://" + address
	if _, err := m.loadgen(ctx, url, "fill", m.conns); err != nil { // insists until it listens
		return report{}, err
	}
	return m.loadgen(ctx, url, "push", groups, "--duration", m.duration.String())
}

// loadgen runs a command of loadgen and decodes its report. A load of which a
// push failed is an error: its rate would say nothing.
func (m machine) loadgen(ctx context.Context, url, command string, groups int, flags ...string) (r report, err error) {
	args := append([]string{command, "--url", url}, flags...)
	if groups > 0 {
		args = append(args, "--groups", strconv.Itoa(groups), "--series", strconv.Itoa(seriesPerGroup), "--conns", strconv.Itoa(m.conns))
	}
	loadgen := exec.CommandContext(ctx, filepath.Join(m.bin, "loadgen"), args...)
	var out bytes.Buffer
	loadgen.Stdout, loadgen.Stderr = &out, os.Stderr
	if err := loadgen.Run(); err != nil {
		return r, fmt.Errorf("loadgen %s: %w", strings.Join(args, " "), err)
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return r, fmt.Errorf("report of loadgen %s: %w", command, err)
	}
	if command == "push" && r.Failed > 0 {
		return r, fmt.Errorf("%d pushes failed", r.Failed)
	}
	return r, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// residentBytes reads the resident memory of a process (Linux), 0 if unknown.
func residentBytes(pid int) int64 {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
