package bus

import "github.com/prometheus/client_golang/prometheus"

// metrics of the bus. They work without a registerer, too.
type metrics struct {
	reg        prometheus.Registerer
	registered []prometheus.Collector

	replaySeconds prometheus.Gauge
	batchEvents   prometheus.Histogram
	bytes         prometheus.Gauge
	copies        prometheus.Gauge
	copiesCurrent prometheus.Gauge
	members       prometheus.Gauge // this and the next are of a cluster only
	connected     prometheus.Gauge
}

// newMetrics makes the metrics and registers them with reg unless it is nil.
// What the status says anyway is read from there.
func newMetrics(reg prometheus.Registerer, cfg Config, status func() Status) *metrics {
	m := &metrics{
		reg:           reg,
		replaySeconds: newGauge("sluice_replay_seconds", "Seconds that the last replay of the stream took."),
		batchEvents: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_batch_events", Help: "Events in a batch that was to be appended to the stream.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 11),
		}),
		bytes:         newGauge("sluice_stream_bytes", "Size of the stream in bytes, as it was a few seconds ago."),
		copies:        newGauge("sluice_stream_copies", "Copies of the stream that there are to be, by its settings."),
		copiesCurrent: newGauge("sluice_stream_copies_current", "Copies of the stream that have all of it, as it was a few seconds ago."),
		members:       newGauge("sluice_cluster_members", "Members of the cluster, this one included, by its settings."),
		connected:     newGauge("sluice_cluster_members_connected", "Members of the cluster that are connected with this one, itself included."),
	}
	limit := newGauge("sluice_stream_limit_bytes", "Bytes that the stream may have (--bus.max-bytes), 0 for no limit.")
	limit.Set(float64(cfg.MaxBytes))
	m.register(m.replaySeconds, m.batchEvents, m.bytes, m.copies, m.copiesCurrent, limit)
	if cfg.Server.Cluster.On() {
		m.register(m.members, m.connected)
	}
	m.registerStatus(cfg, status)
	return m
}

func newGauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

// registerStatus registers what the status says.
func (m *metrics) registerStatus(cfg Config, status func() Status) {
	gauge := func(name, help string, value func(Status) uint64) {
		m.register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(value(status())) }))
	}
	counter := func(name, help string, value func(Status) uint64) {
		m.register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return float64(value(status())) }))
	}
	gauge("sluice_stream_last_sequence", "Last sequence of the stream that is known.",
		func(s Status) uint64 { return s.Last })
	gauge("sluice_stream_applied_sequence", "Sequence up to which the stream has been applied.",
		func(s Status) uint64 { return s.Applied })
	gauge("sluice_replaying", "1 if the stream has not been replayed yet, or is being replayed again, else 0.",
		func(s Status) uint64 { return one(!s.Ready || s.Replaying) })
	gauge("sluice_bus_connected", "1 if the NATS server is connected, else 0.",
		func(s Status) uint64 { return one(s.Connected) })
	gauge("sluice_stream_restoring", "1 while the stream, which was changed from outside, is being restored, else 0.",
		func(s Status) uint64 { return one(s.Restoring != "") })
	counter("sluice_stream_interferences_total", "How often the stream was removed, purged, replaced or reconfigured by somebody else.",
		func(s Status) uint64 { return s.Interferences })
	counter("sluice_stream_restored_events_total", "Events that this gateway has written again since the stream had lost them.",
		func(s Status) uint64 { return s.Restored })
	counter("sluice_stream_unrestored_groups_total", "Groups that the stream had lost and that could not be written again.",
		func(s Status) uint64 { return s.Unrestored })
	gauge("sluice_stream_lost_records", "Records that the embedded server's files have lost to damage on the disk, now or before an earlier start.",
		func(s Status) uint64 { return s.Lost })
	if cfg.URL == "" {
		gauge("sluice_disk_free_bytes", "Bytes that are free on the disk of the data directory.",
			func(s Status) uint64 { return uint64(s.Disk.Free) })
		gauge("sluice_disk_reserve_bytes", "Bytes of the disk that are kept for deletes: pushes are refused if less is free.",
			func(s Status) uint64 { return uint64(s.Disk.Reserve) })
	}
	counter("sluice_batches_total", "Batches of events that were to be appended to the stream.",
		func(s Status) uint64 { return s.Batches })
	counter("sluice_batch_conflicts_total", "Batches that were refused, at least in part, because another gateway had been faster.",
		func(s Status) uint64 { return s.Conflicts })
	counter("sluice_damaged_events_total", "Events of the stream that could not be read.",
		func(s Status) uint64 { return s.Damaged })
	counter("sluice_stream_holes_total", "Parts of the stream that could not be read.",
		func(s Status) uint64 { return s.Holes })
	counter("sluice_replay_missing_events_total", "Events that the stream promised for a replay but did not deliver.",
		func(s Status) uint64 { return s.Missing })
}

// one is 1 for true.
func one(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

func (m *metrics) register(collectors ...prometheus.Collector) {
	if m.reg == nil {
		return
	}
	m.reg.MustRegister(collectors...)
	m.registered = append(m.registered, collectors...)
}

// unregister makes room for another Open.
func (m *metrics) unregister() {
	for _, c := range m.registered {
		m.reg.Unregister(c)
	}
}
