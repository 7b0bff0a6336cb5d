package ingest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the addresses of trusted reverse proxies. The zero Proxies trust nobody.
// They are immutable.
type Proxies []netip.Prefix

// ParseProxies reads networks (10.0.0.0/8) and addresses. The error is one line.
func ParseProxies(texts []string) (Proxies, error) {
	var p Proxies
	for _, text := range texts {
		text = strings.TrimSpace(text)
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			var address netip.Addr
			if address, err = netip.ParseAddr(text); err == nil {
				prefix, err = address.Unmap().WithZone("").Prefix(address.Unmap().BitLen())
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%.60q is not a network such as 10.0.0.0/8, nor an IP address", text)
		}
		p = append(p, prefix.Masked())
	}
	return p, nil
}

// Trusts tells whether the address, with a port or without, is that of a proxy.
func (p Proxies) Trusts(address string) bool {
	ip, ok := parseNode(address)
	return ok && p.contains(ip)
}

func (p Proxies) contains(ip netip.Addr) bool {
	return slices.ContainsFunc(p, func(prefix netip.Prefix) bool { return prefix.Contains(ip) })
}

// Identify returns a handler that finds out who sends a request, for the origin of
// changes and for logs. If the peer is a trusted proxy, it replaces RemoteAddr by the
// client's address: the rightmost address in X-Forwarded-For or Forwarded (RFC 7239) that
// is not a trusted proxy, because a client can write anything further left. If both
// headers are there and differ, RemoteAddr stays, since a proxy that writes one of them
// may pass the other on from the client. Headers of other peers are ignored.
//
// user returns the name of the user that the request has proved to be, "" for none.
func Identify(next http.Handler, proxies Proxies, user func(*http.Request) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := user(r); name != "" {
			r = r.WithContext(context.WithValue(r.Context(), userKey{}, name))
		}
		if client, ok := proxies.client(r); ok {
			r.RemoteAddr = net.JoinHostPort(client.String(), "0") // no proxy tells the port reliably
		}
		next.ServeHTTP(w, r)
	})
}

type userKey struct{}

// userOf returns the user that Identify has found, "" for none.
func userOf(ctx context.Context) string {
	name, _ := ctx.Value(userKey{}).(string)
	return name
}

// client returns the client's address that trusted proxies have written into the headers.
func (p Proxies) client(r *http.Request) (netip.Addr, bool) {
	if len(p) == 0 || !p.Trusts(r.RemoteAddr) {
		return netip.Addr{}, false
	}
	xff, standard := r.Header.Values("X-Forwarded-For"), r.Header.Values("Forwarded")
	client, ok := p.rightmost(strings.Split(strings.Join(xff, ","), ","))
	if len(standard) == 0 {
		return client, ok
	}
	other, okOther := p.rightmost(forwardedFor(strings.Join(standard, ",")))
	if len(xff) == 0 {
		return other, okOther
	}
	return client, ok && okOther && client == other
}

// rightmost returns the rightmost address that is not trusted, or the leftmost of trusted
// ones. It stops at an element that is not an address, such as "unknown": the address to
// its right is the last that is known then.
func (p Proxies) rightmost(nodes []string) (last netip.Addr, ok bool) {
	for _, node := range slices.Backward(nodes) {
		ip, valid := parseNode(node)
		if !valid {
			return last, ok
		}
		last, ok = ip, true
		if !p.contains(ip) {
			return last, ok
		}
	}
	return last, ok
}

// parseNode reads an address with a port or without. IPv6 may be in brackets.
func parseNode(node string) (netip.Addr, bool) {
	node = strings.TrimSpace(node)
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(node, "["), "]"))
	if err != nil {
		host, _, errSplit := net.SplitHostPort(node)
		if errSplit != nil {
			return netip.Addr{}, false
		}
		if ip, err = netip.ParseAddr(host); err != nil {
			return netip.Addr{}, false
		}
	}
	return ip.Unmap().WithZone(""), true
}

// forwardedFor returns the parameter for of each element of a Forwarded header, "" where
// there is none. A quote that is not closed makes the whole header unreadable: a client
// that opens one would hide what the proxy has added after it.
func forwardedFor(header string) []string {
	var nodes []string
	elements, ok := splitUnquoted(header, ',')
	if !ok {
		return nil
	}
	for _, element := range elements {
		node := ""
		pairs, _ := splitUnquoted(element, ';') // its quotes are closed
		for _, pair := range pairs {
			name, value, _ := strings.Cut(pair, "=")
			if strings.EqualFold(strings.TrimSpace(name), "for") {
				node = strings.Trim(strings.TrimSpace(value), `"`) // no address has an escape
			}
		}
		nodes = append(nodes, node)
	}
	return nodes
}

// splitUnquoted splits a text at a separator outside of quoted strings. It returns false if
// a quote is not closed.
func splitUnquoted(text string, separator byte) (parts []string, closed bool) {
	start, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case !quoted && text[i] == separator:
			parts, start = append(parts, text[start:i]), i+1
		}
	}
	return append(parts, text[min(start, len(text)):]), !quoted
}
