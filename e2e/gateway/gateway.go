// Package gateway runs the sluice binary as a process of its own, for tests and
// measurements that need the whole program: it learns the ports from the log,
// waits until the gateway is ready, and ends it gently or not.
package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// patience bounds each wait for something that a healthy gateway does at once.
// A binary built with the race detector on two busy cores is slow, so it is long.
const patience = 2 * time.Minute

// Options say what to run.
type Options struct {
	Binary string   // path of the sluice binary
	Args   []string // command and flags
	Log    io.Writer
	Env    []string // variables besides those of this process, as name=value
	Dir    string   // working directory, "" for that of this process
	// Files are its descriptors from 3 on.
	Files []*os.File
	// SysProcAttr says as whom to run it; nil is as this process.
	SysProcAttr *syscall.SysProcAttr
}

// A Gateway is a running process. Its methods may be called concurrently,
// except that one caller ends it.
type Gateway struct {
	cmd    *exec.Cmd
	log    *logBuffer
	exited chan struct{} // closed once the process is gone and its log complete
	err    error         // of cmd.Wait, to be read after exited
}

// Start starts the binary and returns at once. SLUICE_ variables of the
// environment, which are settings of the gateway, are not handed on, nor those by
// which a service manager of this process would be told about the gateway.
func Start(o Options) (*Gateway, error) {
	g := &Gateway{log: newLogBuffer(o.Log), exited: make(chan struct{})}
	g.cmd = exec.Command(o.Binary, o.Args...)
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "SLUICE_") && name != "NOTIFY_SOCKET" && !strings.HasPrefix(name, "WATCHDOG_") {
			g.cmd.Env = append(g.cmd.Env, variable)
		}
	}
	g.cmd.Env = append(g.cmd.Env, o.Env...)
	g.cmd.Dir, g.cmd.ExtraFiles, g.cmd.SysProcAttr = o.Dir, o.Files, o.SysProcAttr
	if err := g.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the gateway: %w", err)
	}
	go func() {
		g.err = g.cmd.Wait()
		close(g.exited)
	}()
	return g, nil
}

// PID is the process id.
func (g *Gateway) PID() int { return g.cmd.Process.Pid }

// Log returns all that the process has written so far.
func (g *Gateway) Log() string { return g.log.String() }

// HTTPAddress waits for the address of the HTTP listener.
func (g *Gateway) HTTPAddress() (string, error) {
	return g.address("Listening on")
}

// NATSAddress waits for the address of the embedded NATS server's listener,
// which exists only with --bus.listen or --bus.config.
func (g *Gateway) NATSAddress() (string, error) {
	return g.address("NATS listening")
}

// address waits for the log line with the message and returns its address.
func (g *Gateway) address(message string) (string, error) {
	var address string
	err := g.until("logged "+message, func() bool {
		address = findAddress(g.log.Bytes(), message)
		return address != ""
	})
	return address, err
}

func findAddress(log []byte, message string) string {
	mark := []byte(fmt.Sprintf("msg=%q", message))
	for line := range bytes.Lines(log) {
		if !bytes.HasSuffix(line, []byte("\n")) || !bytes.Contains(line, mark) {
			continue // the last line may be half written
		}
		if _, rest, ok := strings.Cut(string(line), " address="); ok {
			return strings.Fields(rest)[0]
		}
	}
	return ""
}

// WaitReady waits until /-/ready at the base URL answers 200.
func (g *Gateway) WaitReady(ctx context.Context, client *http.Client, baseURL string) error {
	return g.until("ready", func() bool {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, baseURL+"/-/ready", nil)
		if err != nil {
			return false
		}
		resp, err := client.Do(req)
		if err != nil {
			return false
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// until polls the condition. It fails if the process ends or patience runs out.
func (g *Gateway) until(what string, condition func() bool) error {
	deadline := time.Now().Add(patience)
	for !condition() {
		select {
		case <-g.exited:
			if condition() {
				return nil
			}
			return fmt.Errorf("the gateway ended before it was %s (%v):\n%s", what, g.err, g.log.Bytes())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the gateway was not %s within %s:\n%s", what, patience, g.log.Bytes())
		}
	}
	return nil
}

// Kill ends the process as kill -9 does and waits until it is gone.
func (g *Gateway) Kill() error {
	if err := g.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	_, err := g.Wait(patience)
	return err
}

// Hangup sends SIGHUP.
func (g *Gateway) Hangup() error { return g.cmd.Process.Signal(syscall.SIGHUP) }

// Terminate asks the process to end, as kill -15 does, and waits for its exit
// code. A process that doesn't end in time is killed.
func (g *Gateway) Terminate() (code int, err error) {
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return 0, err
	}
	code, err = g.Wait(patience)
	if err != nil {
		return 0, errors.Join(err, g.Kill())
	}
	return code, nil
}

// Wait waits for the process to end by itself and returns its exit code, -1 if
// a signal ended it.
func (g *Gateway) Wait(bound time.Duration) (code int, err error) {
	select {
	case <-g.exited:
		return g.cmd.ProcessState.ExitCode(), nil
	case <-time.After(bound):
		return 0, fmt.Errorf("the gateway did not end within %s", bound)
	}
}
