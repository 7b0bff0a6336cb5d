package gateway

import (
	"net/http"
	"os"
	"sync"
	"time"

	"go.yaml.in/yaml/v4"
)

// webUsers finds out as whom a request has authenticated. It may be used concurrently.
//
// The exporter toolkit checks passwords, but does not say whether it has: without users in
// its file it lets every request pass, whatever name is in its header. It reads the file
// for each request, so that changes count at once. webUsers reads it when it changes.
type webUsers struct {
	path string // --web.config.file; "" for none

	mu      sync.Mutex // protects all below
	changed time.Time  // modification time of what was read
	size    int64
	names   map[string]bool
}

// of returns the user of basic authentication, or else the name in a verified client
// certificate: its common name, or else its first DNS name, email address or URI. It
// returns "" if the request has proved neither.
func (u *webUsers) of(r *http.Request) string {
	if name, _, ok := r.BasicAuth(); ok && u.isUser(name) {
		return name
	}
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return ""
	}
	switch cert := r.TLS.VerifiedChains[0][0]; {
	case cert.Subject.CommonName != "":
		return cert.Subject.CommonName
	case len(cert.DNSNames) > 0:
		return cert.DNSNames[0]
	case len(cert.EmailAddresses) > 0:
		return cert.EmailAddresses[0]
	case len(cert.URIs) > 0:
		return cert.URIs[0].String()
	}
	return ""
}

// isUser tells whether the file has the user, so that the password was checked.
func (u *webUsers) isUser(name string) bool {
	if u.path == "" {
		return false
	}
	info, err := os.Stat(u.path)
	if err != nil {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !info.ModTime().Equal(u.changed) || info.Size() != u.size || u.names == nil {
		u.changed, u.size, u.names = info.ModTime(), info.Size(), userNames(u.path)
	}
	return u.names[name]
}

// userNames reads the names of a file of the toolkit. A file that cannot be read has none:
// the toolkit answers requests by 500 then.
func userNames(path string) map[string]bool {
	names := map[string]bool{}
	text, err := os.ReadFile(path)
	if err != nil {
		return names
	}
	var file struct {
		Users map[string]string `yaml:"basic_auth_users"`
	}
	if yaml.Unmarshal(text, &file) != nil {
		return names
	}
	for name := range file.Users {
		names[name] = true
	}
	return names
}
