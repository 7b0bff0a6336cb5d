package main

import (
	"time"

	"github.com/urfave/cli/v2"
)

const (
	defaultMaxBytes   = 16 << 20
	defaultMaxWaiting = 4096
	// A group takes some hundred bytes in addition to its series. The limit stops a
	// job with random names; others do not reach it.
	defaultMaxGroups = 1_000_000
	defaultPersist   = 5 * time.Minute // Pushgateway's, and without effect
	defaultForget    = time.Hour
	defaultWait      = 8 * time.Second // below the usual client timeout of 10 s

	// The largest push that anybody is known to send has 15,000 series, and a body
	// of --push.max-bytes with lines of usual length 200,000.
	defaultMaxSeries = 500_000
	// Four times what Prometheus and its neighbours usually allow. The time of the
	// text parser grows with the square of the number.
	defaultMaxLabels = 128
	// Room for error texts, queries and command lines, which people push as labels;
	// a grouping key, which each series repeats, has to be as short.
	defaultMaxLabelBytes = 16 << 10
)

// pushFlags say which pushes are taken.
func (o *options) pushFlags() []cli.Flag {
	g := &o.gateway
	// Without the flag the body bounds label values, as in Prometheus.
	valuesToo := func(_ *cli.Context, bytes int) error {
		g.Front.Limits.ValueBytes = bytes
		return nil
	}
	return []cli.Flag{
		&cli.BoolFlag{Name: "push.disable-consistency-check", Destination: &g.Front.Unchecked, Usage: "do not check pushes for consistency; they are answered by 202 then"},
		&cli.BoolFlag{Name: "push.enable-utf8-names", Destination: &g.Front.UTF8Names, Usage: "allow UTF-8 names of metrics and labels"},
		&cli.Int64Flag{Name: "push.max-bytes", Destination: &g.Front.MaxBytes, Value: defaultMaxBytes, Usage: "most `bytes` of a push, on the wire and after decompression"},
		&cli.IntFlag{Name: "push.max-groups", Destination: &g.MaxGroups, Value: defaultMaxGroups, Usage: "most `groups` there may be; a push that would make one more is answered by 429. 0 is no limit"},
		&cli.IntFlag{Name: "push.max-series", Destination: &g.Front.Limits.Series, Value: defaultMaxSeries, Usage: "most `series` of a push; 0 is no limit"},
		&cli.IntFlag{Name: "push.max-labels", Destination: &g.Front.Limits.Labels, Value: defaultMaxLabels, Usage: "most `labels` of a series, those of its group included"},
		&cli.IntFlag{Name: "push.max-label-bytes", Destination: &g.Front.Limits.LabelBytes, Action: valuesToo, Value: defaultMaxLabelBytes, Usage: "most `bytes` of a metric name or a label name, and of a grouping key as a whole; if given, also of a label value"},
		&cli.IntFlag{Name: "push.max-waiting", Destination: &g.Committer.MaxWaiting, Value: defaultMaxWaiting, Usage: "most `pushes` that may wait for their verdict"},
		&cli.Int64Flag{Name: waitingBytesFlag, Destination: &o.waitingBytes, Value: defaultMaxWaitingBytes, Usage: "most `bytes` of memory for all pushes that are being read, decoded or wait; less by default if the memory limit is below 2.5 GiB. 0 is no limit"},
		&cli.DurationFlag{Name: "push.wait", Destination: &g.Committer.Wait, Value: defaultWait, Usage: "longest `time` a push waits for the stream before it is answered by 503"},
	}
}

// groupFlags say how long groups live.
func (o *options) groupFlags() []cli.Flag {
	g := &o.gateway
	return []cli.Flag{
		&cli.StringFlag{Name: "group.ttl", Destination: &o.groupTTL, Value: "never", Usage: "`time` that a group lives after its last push, if the push and the rules do not say"},
		&cli.StringFlag{Name: "group.rules", Destination: &g.GroupRules, Usage: "`file` with rules by grouping key: time to live, and number of groups"},
		&cli.DurationFlag{Name: "group.forget-after", Destination: &g.Committer.ForgetAfter, Value: defaultForget, Usage: "`time` that a group which has expired is remembered: as down in scrapes and among the targets"},
	}
}

// persistenceFlags are those of Pushgateway for its persistence file.
func (o *options) persistenceFlags() []cli.Flag {
	g := &o.gateway
	return []cli.Flag{
		&cli.StringFlag{Name: "persistence.file", Destination: &g.PersistenceFile, Usage: "persistence `file` of a Pushgateway, to be imported once, when the stream is empty"},
		&cli.DurationFlag{Name: "persistence.interval", Action: func(*cli.Context, time.Duration) error { g.PersistenceIntervalSet = true; return nil }, Value: defaultPersist, Usage: "`time` between two writes of Pushgateway's persistence file; without effect, since every push is written at once"},
	}
}
