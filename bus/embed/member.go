package embed

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/nats-io/nuid"
)

const (
	// memberName is the file in the data directory of a cluster's member.
	memberName = "sluice.member"
	// serverDir has the files of the embedded server. standaloneDir has the files of
	// the time before the cluster, until the cluster has them.
	serverDir     = "jetstream"
	standaloneDir = "alone"
)

// member is what a data directory knows of the cluster that it belongs to. The
// name has to stay the same: it is by names that the members know each other.
type member struct {
	Node    string `json:"node"`
	Cluster string `json:"cluster"`
}

// readMember returns what the data directory knows, nil if it belongs to no
// cluster.
func readMember(dir string) (*member, error) {
	name := filepath.Join(dir, memberName)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	m := &member{}
	if err == nil {
		err = json.Unmarshal(text, m)
	}
	if err == nil && m.Node == "" {
		err = errors.New("it names no node")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	return m, nil
}

// write makes the data directory that of a member.
func (m *member) write(dir string) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return writeWhole(filepath.Join(dir, memberName), append(text, '\n'))
}

// writeWhole writes a file. After a crash the file has all of the data, or is as it was.
func writeWhole(name string, data []byte) error {
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return syncDir(dir)
}

// joinDir makes a data directory that of a member of a cluster, and returns its
// name there. The data of a single gateway is put aside: a clustered server would
// take it for something that the others have deleted.
func joinDir(dir string, c ClusterConfig) (*member, error) {
	m, err := readMember(dir)
	if err != nil {
		return nil, err
	}
	if m != nil {
		if m.Cluster != c.Name {
			return nil, fmt.Errorf("data directory %s belongs to a member of cluster %q, not %q (--cluster.name)", dir, m.Cluster, c.Name)
		}
		return m, nil
	}
	stored, aside := filepath.Join(dir, serverDir), filepath.Join(dir, standaloneDir, serverDir)
	if _, err := os.Stat(stored); err == nil {
		if _, err := os.Stat(aside); err == nil {
			return nil, fmt.Errorf("data directory %s has both %s and %s: move away what is not wanted", dir, serverDir, filepath.Join(standaloneDir, serverDir))
		}
		if err := os.MkdirAll(filepath.Dir(aside), 0o750); err != nil {
			return nil, fmt.Errorf("cannot put the data of the single gateway aside: %w", err)
		}
		if err := errors.Join(os.Rename(stored, aside), syncDir(dir)); err != nil {
			return nil, fmt.Errorf("cannot put the data of the single gateway aside: %w", err)
		}
	}
	m = &member{Node: c.nodeName(), Cluster: c.Name}
	return m, m.write(dir)
}

// leaveDir prevents that a single gateway goes on, by mistake, with the data of a
// member of a cluster.
func leaveDir(cfg Config) error {
	m, err := readMember(cfg.DataDir)
	switch {
	case err != nil || m == nil:
		return err
	case !cfg.Cluster.Leave:
		return fmt.Errorf("data directory %s belongs to member %s of cluster %q: it needs --cluster.listen, or --cluster.leave to go on alone with what it has", cfg.DataDir, m.Node, m.Cluster)
	}
	return restoreStandalone(cfg)
}

// restoreStandalone undoes joinDir for a gateway whose stream has not come into the cluster:
// the attempt to join was given up, or the cluster had a stream.
func restoreStandalone(cfg Config) error {
	dir := cfg.DataDir
	a, err := findStandalone(dir)
	if err != nil || a == nil {
		return err
	}
	stored := filepath.Join(dir, serverDir)
	done, err := isMigrated(stored, cfg.Stream, a.ID)
	if err != nil {
		return fmt.Errorf("cannot look whether the data of the single gateway is in the cluster: %w", err)
	}
	if done { // the member has all of it, and more
		if err := os.Rename(a.Dir, a.Dir+"."+a.ID); err != nil {
			return fmt.Errorf("cannot put the files of the single gateway away: %w", err)
		}
		return nil
	}
	// What the member has is kept all the same.
	if err := os.Rename(stored, filepath.Join(dir, serverDir+"."+nuid.Next())); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot put the data of the member aside: %w", err)
	}
	if err := errors.Join(os.Rename(filepath.Join(a.Dir, serverDir), stored), syncDir(dir)); err != nil {
		return fmt.Errorf("cannot take the data of the single gateway back: %w", err)
	}
	return os.RemoveAll(a.Dir) // only the id is left
}

// isMigrated tells whether a server's folder has, in any account, a stream of that
// name that is marked as completely migrated. The settings of a stream are in its file
// meta.inf (nats-server, server/filestore.go).
func isMigrated(stored, name, id string) (bool, error) {
	accounts, err := os.ReadDir(stored)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	for _, account := range accounts {
		settings, err := os.ReadFile(filepath.Join(stored, account.Name(), "streams", name, "meta.inf"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		var stream struct {
			Metadata map[string]string `json:"metadata"`
		}
		if json.Unmarshal(settings, &stream) == nil && stream.Metadata[MigratedKey] == id {
			return true, nil
		}
	}
	return false, nil
}

// Leave makes the data directory that of a gateway which is alone. It is called
// once that has its stream.
func (e *Server) Leave() error {
	dir := e.cfg.DataDir
	if err := os.Remove(filepath.Join(dir, memberName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot leave the cluster: %w", err)
	}
	return syncDir(dir)
}

// syncDir makes what has been renamed in a directory outlast a crash of the machine.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// nodeName is how a member is called from its first start on.
func (c ClusterConfig) nodeName() string {
	if c.Advertise != "" {
		return c.Advertise
	}
	host, port, _ := net.SplitHostPort(c.Listen)
	if host == "" {
		host, _ = os.Hostname()
	}
	return host + ":" + port
}
