package page

import (
	"cmp"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"sluice/exposer/api"
)

// lines are commands for a POSIX shell that push to a group and delete it. Those over
// HTTP keep the parts before and after the URL separate, so that a script can insert
// the URL that the browser has.
type lines struct {
	Base     string // the gateway's URL as far as it is known here
	Sure     bool   // Base is known to be right
	Group    string
	Push     []command
	Delete   []command
	NATS     bool   // NATS clients can connect
	NATSNote string // why not
}

// commandList is what the template for commands shows.
type commandList struct {
	lines
	Commands []command
}

// ToPush are the lines that push.
func (l lines) ToPush() commandList { return commandList{l, l.Push} }

// ToDelete are the lines that delete.
func (l lines) ToDelete() commandList { return commandList{l, l.Delete} }

// command is a line of a shell. Kind is its program: curl, nats or sluice.
type command struct {
	ID, Kind string
	// URL stands quoted between Before and After. It is empty without HTTP.
	Before, URL, After string
}

// Line is the command as a whole.
func (c command) Line() string { return c.Before + c.URL + c.After }

// sample is what the lines push.
const sample = `echo "demo_last_success_seconds $(date +%s)" | `

// ttlText is the time to live that a push has to ask for so that the group keeps the
// one that it has, "" if it has to ask for none.
func ttlText(g api.GroupSummary, flags map[string]string) string {
	never := func(ttl string) bool { return ttl == "" || ttl == "never" }
	switch {
	case g.TTL > 0:
		return model.Duration(g.TTL * float64(time.Second)).String()
	case g.PushTime != nil && (!never(flags["group.ttl"]) || flags["group.rules"] != ""):
		return "never" // else it gets that of the flags
	}
	return ""
}

// lines are the commands for a group. Those that push ask for a time to live, unless
// that is "".
func (p *Page) lines(r *http.Request, flags map[string]string, group, ttl string) lines {
	base, sure := p.baseURL(r)
	l := lines{Base: base, Sure: sure, Group: group}
	prefix := cmp.Or(flags["bus.prefix"], "sluice")
	header := shellQuote("Sluice-Group:" + group)
	var query, flag, ttlHeader string
	if ttl != "" {
		query, flag, ttlHeader = "?ttl="+ttl, " --ttl "+ttl, " -H Nats-TTL:"+ttl
	}
	l.Push = []command{
		{"push-curl", "curl", sample + "curl --data-binary @- ", shellQuote(base + "/metrics" + group + query), ""},
		{"push-sluice", "sluice", sample + "sluice push --url ", shellQuote(base), " --group " + shellQuote(group) + flag},
	}
	l.Delete = []command{
		{"delete-curl", "curl", "curl -X DELETE ", shellQuote(base + "/metrics" + group), ""},
		{"delete-sluice", "sluice", "sluice delete --url ", shellQuote(base), " --group " + shellQuote(group)},
	}
	server, note := natsAddress(flags, base)
	l.NATSNote = note
	if note == "" {
		l.NATS = true
		request := "nats --server " + shellQuote(server) + " request "
		l.Push = append(l.Push, command{ID: "push-nats", Kind: "nats", Before: sample + request + shellQuote(prefix+".push.post") + " -H " + header + ttlHeader})
		l.Delete = append(l.Delete, command{ID: "delete-nats", Kind: "nats", Before: request + shellQuote(prefix+".push.delete") + " -H " + header + " ''"})
	}
	return l
}

// natsAddress is the address for NATS clients, or a note why they cannot connect.
func natsAddress(flags map[string]string, base string) (address, note string) {
	if urls := flags["bus.url"]; urls != "" {
		return urls, "" // the status has the flag without names and passwords
	}
	listen := flags["bus.listen"]
	if listen == "" {
		if flags["bus.config"] != "" {
			return "", "The file of --bus.config says where the built-in server accepts NATS clients."
		}
		return "", "The built-in server takes no NATS clients. To accept them, set --bus.listen."
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "nats://" + listen, ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		if u, err := url.Parse(base); err == nil {
			host = u.Hostname()
		}
	}
	return "nats://" + net.JoinHostPort(host, port), ""
}

// shellQuote quotes a word for a POSIX shell, if it needs quotes.
func shellQuote(word string) string {
	plain := func(c rune) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("-._~:@/+,=%", c)
	}
	if word != "" && word[0] != '~' && word[0] != '=' && strings.IndexFunc(word, func(c rune) bool { return !plain(c) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
