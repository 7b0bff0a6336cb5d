package store

// twin returns the living group whose times are the same series as those of the key:
// of two such groups one has an empty instance, and the other has no instance. It
// returns nil if there is none.
func (d *Draft) twin(key Key) *Group {
	if path := twinPath(key); path != "" {
		return living(d.group(path))
	}
	return nil
}

// twinPath returns the path of the twin's key: without an instance if the key has an
// empty one, with an empty one if it has none. It returns "" if the key has another
// instance.
func twinPath(key Key) string {
	instance, has := key.Get(InstanceLabel)
	if has && instance != "" {
		return ""
	}
	labels := make([]Label, 0, len(key.labels)+1)
	for _, l := range key.labels {
		if l.Name != InstanceLabel {
			labels = append(labels, l)
		}
	}
	if !has {
		labels = append(labels, Label{Name: InstanceLabel})
	}
	job, _ := key.Get(JobLabel)
	twin, err := NewKey(job, labels...)
	if err != nil {
		return "" // not possible: the labels are those of a key
	}
	return twin.path
}

// living returns the group unless it is dead.
func living(g *Group) *Group {
	if g == nil || g.Dead() {
		return nil
	}
	return g
}
