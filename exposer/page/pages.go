package page

import (
	"net/url"
	"strconv"
	"strings"
)

// perPage is how many groups or jobs a page has.
const perPage = 50

// pages says which part of a list is shown, and leads to the others.
type pages struct {
	First, Last    int    // of those shown, from 1; 0 for none
	Previous, Next string // links, "" for none
	Page, Pages    int    // from 1
}

// offsetOf reads how many rows are before the page that is asked for: by the
// parameter offset, or by page, which people type and which counts from 1.
func offsetOf(asked url.Values) int {
	const most = 1 << 30
	if page, err := strconv.Atoi(asked.Get("page")); err == nil {
		return (min(max(1, page), most/perPage) - 1) * perPage
	}
	offset, _ := strconv.Atoi(asked.Get("offset"))
	return min(max(0, offset), most)
}

// lastOffset is where the last page of a list begins.
func lastOffset(total int) int { return max(0, total-1) / perPage * perPage }

// pagesOf are the pages of a list of which count rows from an offset on are shown.
// link returns the view with a parameter changed.
func pagesOf(offset, count, total int, link func(name, value string) string) pages {
	p := pages{Page: offset/perPage + 1, Pages: lastOffset(total)/perPage + 1}
	if count > 0 {
		p.First, p.Last = offset+1, offset+count
	}
	if offset > 0 {
		p.Previous = link("offset", strconv.Itoa(max(0, offset-perPage)))
	}
	if p.Last > 0 && p.Last < total {
		p.Next = link("offset", strconv.Itoa(p.Last))
	}
	return p
}

// column is the head of a column that can be sorted by.
type column struct {
	Key, Text, Link string
	Aria            string // as in aria-sort
}

// columnsOf links the heads of columns, by their keys without "-". A click sorts by
// the key, and a second one turns the order.
func columnsOf(sort string, columns []column, link func(name, value string) string) map[string]column {
	heads := map[string]column{}
	for _, c := range columns {
		turned := strings.TrimPrefix("-"+c.Key, "--")
		next := c.Key
		switch sort {
		case c.Key:
			next = turned
			fallthrough
		case turned:
			c.Aria = "ascending"
			if strings.HasPrefix(sort, "-") {
				c.Aria = "descending"
			}
		}
		c.Link = link("sort", next)
		name := strings.TrimPrefix(c.Key, "-")
		c.Key = name
		heads[name] = c
	}
	return heads
}
