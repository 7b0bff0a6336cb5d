package api

import (
	"fmt"
	"net/url"
	"strconv"

	"sluice/store"
	"sluice/store/search"
	"sluice/store/selector"
)

// Filter chooses groups by their labels. The zero Filter chooses all.
type Filter struct {
	selectors selector.Selectors
	search    search.Search
}

// ParseFilter reads the parameters match[], which are selectors of which a group
// has to match one, and search, which it has to match as well. The error is an
// *Error with status 400.
func ParseFilter(match []string, text string) (Filter, error) {
	selectors, err := selector.ParseAll(match)
	if err != nil {
		return Filter{}, badParameter("match[]", err.Error())
	}
	s, err := search.Parse(text)
	if err != nil {
		return Filter{}, badParameter("search", err.Error())
	}
	return Filter{selectors, s}, nil
}

// matches tells whether the filter chooses the group of a key.
func (f *Filter) matches(key store.Key) bool {
	return f.selectors.Matches(key) && f.search.Matches(key)
}

func readFilter(query url.Values) (Filter, error) {
	return ParseFilter(query["match[]"], query.Get("search"))
}

// parseGroup reads the parameter group.
func parseGroup(path string) (store.Key, error) {
	key, err := store.ParseKey(path)
	if err != nil {
		return key, badParameter("group", fmt.Sprintf("%.300s", err))
	}
	return key, nil
}

// readNumber reads a parameter that is a number within bounds, and returns absent
// if it is not there.
func readNumber(query url.Values, name string, absent, least, most int) (int, error) {
	text := query.Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, badParameter(name, fmt.Sprintf("%.40q is no number from %d to %d", text, least, most))
	}
	return n, nil
}

// parseBool reads a parameter that is true or false.
func parseBool(name, text string) (bool, error) {
	is, err := strconv.ParseBool(text)
	if err != nil {
		return false, badParameter(name, fmt.Sprintf("%.40q is neither true nor false", text))
	}
	return is, nil
}
