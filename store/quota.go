package store

// Quota limits how many living groups there may be of those that count together.
type Quota struct {
	// Max is how many there may be, 0 for any number.
	Max int
	// Rule names the rule that sets the limit, for people. Of names the groups of that
	// rule that count together, such as `job="ci"`; it is "" if all of them do. Rule
	// and Of together identify what is counted.
	Rule, Of string
}

// quotaID identifies what a quota counts.
type quotaID struct{ rule, of string }

func (q Quota) id() quotaID { return quotaID{q.Rule, q.Of} }

// SetQuotas sets the function that returns the quota of a group; nil is no limit for
// any group. It counts all groups while it holds the store's lock, about 2 µs for each.
// From then on only groups that come or go are counted, so that a push costs the same
// however many groups there are. Drafts that were begun before are stale.
//
// The function must be pure and must not block. Drafts keep to its limits; Apply does
// not, because the stream decides.
func (s *Store) SetQuotas(of func(Key) Quota) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quotaOf = nil
	if of != nil {
		s.quotaOf = &of
	}
	s.recountQuotas()
}

// recountQuotas counts all groups. The store is locked.
func (s *Store) recountQuotas() {
	clear(s.quotas)
	for _, g := range s.groups {
		if !g.Dead() {
			s.countQuota(g.key, +1)
		}
	}
}

// countQuota adds n to the number of living groups that count together with a key.
func (s *Store) countQuota(key Key, n int) {
	if s.quotaOf == nil {
		return
	}
	quota := (*s.quotaOf)(key)
	if quota.Max == 0 {
		return
	}
	id := quota.id()
	if s.quotas[id] += n; s.quotas[id] == 0 {
		delete(s.quotas, id)
	}
}

// countQuota does the same for the groups of the draft.
func (d *Draft) countQuota(key Key, n int) {
	if d.quotaOf == nil {
		return
	}
	quota := (*d.quotaOf)(key)
	if quota.Max == 0 {
		return
	}
	if d.quotas == nil {
		d.quotas = map[quotaID]int{}
	}
	d.quotas[quota.id()] += n
}

// checkLimits returns why there may be no new group of a key, nil if there may.
func (d *Draft) checkLimits(key Key) error {
	groups := d.added
	if !d.wiped {
		groups += d.store.living()
	}
	if limit := d.store.settings.MaxGroups; limit > 0 && groups >= limit {
		return &TooManyGroups{Quota: Quota{Max: limit}, Groups: groups}
	}
	if d.quotaOf == nil {
		return nil
	}
	quota := (*d.quotaOf)(key)
	if quota.Max == 0 {
		return nil
	}
	groups = d.quotas[quota.id()]
	if !d.wiped {
		groups += d.store.quotas[quota.id()]
	}
	if groups >= quota.Max {
		return &TooManyGroups{Quota: quota, Groups: groups}
	}
	return nil
}
