package e2e

import (
	"debug/elf"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/e2e/gateway"
	"sluice/e2e/testkit"
)

// imageUser is the user of the image, by number.
const imageUser = 65532

// buildStatic builds the program as the image and the Makefile do, at a path.
func buildStatic(t *testing.T, path string) {
	t.Helper()
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "sluice/cmd/sluice")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	if err := os.Chmod(path, 0o555); err != nil {
		t.Fatal(err)
	}
}

// The binary is static, so it runs in an empty image.
func TestTheBinaryIsStatic(t *testing.T) {
	path := filepath.Join(newSite(t).dir, "sluice")
	buildStatic(t, path)
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("it has a segment %s", p.Type)
		}
	}
}

// asNobody returns the attributes to run a process as the user of the image. If the
// test does not run as root, its own user will do.
func asNobody(t *testing.T, data string) *syscall.SysProcAttr {
	t.Helper()
	if os.Geteuid() != 0 {
		return &syscall.SysProcAttr{}
	}
	if err := os.Chown(data, imageUser, imageUser); err != nil {
		t.Fatal(err)
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: imageUser, Gid: imageUser}}
}

// survives checks that a push outlives a kill and a restart.
func survives(t *testing.T, start func() *sluice) {
	t.Helper()
	g := start()
	g.must(http.StatusOK, http.MethodPut, groupPath("deployed", "1"), "deployed 1\n")
	g.kill()
	g = start()
	if n, shown := g.scrape().value(series("deployed", "deployed", "1")); n != 1 || !shown {
		t.Errorf("the push is gone:\n%s", g.Log())
	}
	if code, err := g.Terminate(); code != 0 || err != nil {
		t.Errorf("code %d, %v:\n%s", code, err, g.Log())
	}
}

// As in the image, the file system holds only the binary and a data folder, and belongs
// to another user. There is no /tmp, no /etc, no /proc and no home directory.
func TestItRunsWithNothingWritableButTheData(t *testing.T) {
	s := newSite(t)
	root := filepath.Join(s.dir, "root")
	data := filepath.Join(root, "data")
	if err := os.MkdirAll(data, 0o750); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "sluice")
	buildStatic(t, path)
	o := gateway.Options{Binary: path, Dir: root, Env: []string{"SLUICE_BUS_DATA_DIR=" + data}, SysProcAttr: asNobody(t, data)}
	if o.SysProcAttr.Credential != nil {
		// Root can use chroot, as a container does. Other users only get a folder that
		// they cannot write to.
		o.SysProcAttr.Chroot, o.Binary, o.Dir, o.Env = root, "/sluice", "/", []string{"SLUICE_BUS_DATA_DIR=/data"}
	}
	if err := os.Chmod(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(root, 0o755) })
	survives(t, func() *sluice {
		o.Args = []string{"--web.listen-address=127.0.0.1:0"}
		g := s.runWith(o)
		g.waitListening()
		if err := g.WaitReady(t.Context(), s.client, g.url); err != nil {
			t.Fatal(err)
		}
		return g
	})
	entries, err := os.ReadDir(root)
	if err != nil || len(entries) != 2 {
		t.Errorf("it left %v, %v", entries, err)
	}
}

// unitLines returns the values of a key in the systemd unit.
func unitLines(t *testing.T, key string) (values []string) {
	t.Helper()
	unit, err := os.ReadFile(filepath.Join("..", "deploy", "systemd", "sluice.service"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(unit)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			values = append(values, value)
		}
	}
	return values
}

// The test starts what the unit says, as systemd would: with its command line and
// variables, a state directory and a service manager.
func TestTheSystemdUnitStarts(t *testing.T) {
	s := newSite(t)
	state := filepath.Join(s.dir, "lib")
	data := filepath.Join(state, "sluice") // StateDirectory=sluice
	if err := os.MkdirAll(data, 0o750); err != nil {
		t.Fatal(err)
	}
	command := strings.Fields(unitLines(t, "ExecStart")[0])
	var env []string
	for _, variable := range unitLines(t, "Environment") {
		env = append(env, strings.ReplaceAll(variable, "%S", state))
	}
	path := filepath.Join(s.dir, "sluice")
	buildStatic(t, path)
	attr := asNobody(t, data)
	for _, dir := range []string{s.dir, state} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	survives(t, func() *sluice {
		m := startServiceManager(t, "@"+filepath.Base(s.dir)+"-"+filepath.Base(testkit.FreeAddress(t)))
		g := s.runWith(gateway.Options{
			Binary: path, Args: append(command[1:], "--web.listen-address=127.0.0.1:0"), Dir: "/",
			Env: append(env, "NOTIFY_SOCKET="+m.address), SysProcAttr: attr,
		})
		g.waitListening()
		m.whenTold(t, "READY=1")
		return g
	})
	if entries, err := os.ReadDir(data); err != nil || len(entries) == 0 {
		t.Errorf("nothing is in %s: %v", data, err)
	}
}

// With --web.systemd-socket the gateway uses the listener that systemd passes for
// sluice.socket: descriptor 3, with the id of the process in LISTEN_PID.
func TestItListensAtTheSystemdSocket(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// A shell sets LISTEN_PID, because it knows the id that the gateway will have.
	g := s.runWith(gateway.Options{
		Binary: "/bin/sh", Args: []string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`, binary, "serve", "--bus.data-dir=" + filepath.Join(s.dir, "data")},
		Env: []string{"SLUICE_WEB_SYSTEMD_SOCKET=true", "LISTEN_FDS=1"}, Files: []*os.File{file},
	})
	g.url = "http://" + l.Addr().String()
	if err := g.WaitReady(t.Context(), s.client, g.url); err != nil {
		t.Fatal(err)
	}
	g.must(http.StatusOK, http.MethodPut, "/metrics/job/a", "a 1\n")
	if code, err := g.Terminate(); code != 0 || err != nil {
		t.Errorf("code %d, %v:\n%s", code, err, g.Log())
	}
}
