package exposer

import (
	"errors"
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"

	"sluice/store"
)

// verdicts say for each escaping scheme why a scrape fails, nil if none does.
type verdicts map[model.EscapingScheme]error

// first returns the verdict on names as they are, or that of the first scheme.
func (v verdicts) first() error {
	for scheme := model.NoEscaping; scheme <= model.ValueEncodingEscaping; scheme++ {
		if err := v[scheme]; err != nil {
			return err
		}
	}
	return nil
}

// verdictsOn checks the view with the rules of client_golang. If it keeps them, names
// must not become the same either when they are escaped.
func (j *Judge) verdictsOn(view *store.View) verdicts {
	self, err := j.self.gather(view)
	if err == nil {
		err = gatherAll(self, view.Families())
	}
	all := verdicts{}
	families := merge(self, view.Families())
	for scheme := model.NoEscaping; scheme <= model.ValueEncodingEscaping; scheme++ {
		verdict := err
		if verdict == nil {
			verdict = checkEscaped(families, scheme)
		}
		if verdict != nil {
			all[scheme] = shortened(verdict)
		}
	}
	return all
}

// gatherAll gathers the gateway's own families and the stored ones with the client
// library. A family of both has the gateway's own help text, as in Pushgateway.
func gatherAll(self []*dto.MetricFamily, stored []store.ViewFamily) error {
	help := map[string]*string{}
	for _, f := range self {
		help[f.GetName()] = f.Help
	}
	_, err := prometheus.Gatherers{
		prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return self, nil }),
		prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
			var all []*dto.MetricFamily
			for _, f := range stored {
				message, err := (&exposed{name: f.Name(), stored: f, both: true}).message()
				if err != nil {
					return nil, fmt.Errorf("family %q: %w", f.Name(), err)
				}
				if own, both := help[f.Name()]; both {
					message.Help = own
				}
				all = append(all, message)
			}
			return all, nil
		}),
	}.Gather()
	return err
}

// shortened returns the error with a text of bounded length.
func shortened(err error) error {
	text := err.Error()
	if len(text) <= maxVerdict {
		return err
	}
	return errors.New(strings.ToValidUTF8(text[:maxVerdict], "") + "...")
}
