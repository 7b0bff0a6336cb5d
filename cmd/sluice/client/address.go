package client

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// ParseAddresses reads addresses of gateways, each of which may be several,
// separated by commas: host:port, or a URL whose path is the gateway's route
// prefix. The order is kept; an address that is there twice counts once.
func ParseAddresses(lists []string) ([]*url.URL, error) {
	var addresses []*url.URL
	seen := map[string]bool{}
	for _, list := range lists {
		for text := range strings.SplitSeq(list, ",") {
			if text = strings.TrimSpace(text); text == "" {
				continue
			}
			u, err := parseAddress(text)
			if err != nil {
				return nil, err
			}
			if !seen[u.String()] {
				seen[u.String()] = true
				addresses = append(addresses, u)
			}
		}
	}
	if len(addresses) == 0 {
		return nil, errors.New("no address given")
	}
	return addresses, nil
}

func parseAddress(text string) (*url.URL, error) {
	full := text
	if !strings.Contains(full, "://") {
		full = "http://" + full
	}
	u, err := url.Parse(full)
	if err != nil {
		var why *url.Error // names the URL, which may have a password
		if errors.As(err, &why) {
			err = why.Err
		}
		return nil, fmt.Errorf("cannot read the address of a gateway: %w", err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("address %s: the scheme is http or https", u.Redacted())
	case u.Hostname() == "":
		return nil, fmt.Errorf("address %s has no host", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("address %s has more than a path: a route prefix may follow the host, nothing else", u.Redacted())
	}
	u.RawPath, u.Path = strings.TrimRight(u.EscapedPath(), "/"), strings.TrimRight(u.Path, "/")
	return u, nil
}

// below returns the URL of a percent-encoded path at a gateway, behind its route
// prefix.
func below(base *url.URL, path string, query url.Values) (*url.URL, error) {
	plain, err := url.PathUnescape(path)
	if err != nil {
		return nil, err
	}
	u := *base
	u.RawPath, u.Path = base.EscapedPath()+path, base.Path+plain
	u.RawQuery = query.Encode()
	return &u, nil
}
