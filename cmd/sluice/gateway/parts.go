package gateway

import (
	"context"
	"errors"
	"slices"
)

// part is one of the things that run in a gateway.
type part struct {
	// run blocks until ctx ends. When it returns earlier the gateway stops.
	run func(ctx context.Context) error
	// mayEnd says that run may return nil earlier, and the gateway goes on.
	mayEnd bool
}

// stage is several parts that stop together.
type stage []part

// runStages starts the stages in their order, and blocks until every part has
// ended. All stop when ctx ends, or when a part fails. The stage that was started
// last is stopped first, and the next one when all parts of it have ended. The
// errors of all parts are joined.
func runStages(ctx context.Context, stages ...stage) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var running []*runningStage
	for _, s := range stages {
		running = append(running, s.start(context.WithoutCancel(ctx), stop))
	}
	<-ctx.Done()
	var errs []error
	for _, s := range slices.Backward(running) {
		errs = append(errs, s.stop())
	}
	return errors.Join(errs...)
}

// runningStage is a stage that has been started.
type runningStage struct {
	cancel context.CancelFunc
	ended  []chan error // one for each part
}

// start runs each part in a goroutine of its own. A part that ends before its
// time calls stopAll.
func (s stage) start(ctx context.Context, stopAll func()) *runningStage {
	ctx, cancel := context.WithCancel(ctx)
	r := &runningStage{cancel: cancel}
	for _, p := range s {
		ended := make(chan error, 1)
		r.ended = append(r.ended, ended)
		go func() {
			err := p.run(ctx)
			if err != nil || !p.mayEnd {
				stopAll()
			}
			ended <- err
		}()
	}
	return r
}

// stop ends all parts and waits for each.
func (r *runningStage) stop() error {
	r.cancel()
	var errs []error
	for _, ended := range r.ended {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}
