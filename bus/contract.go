package bus

// Contract of this package (to be replaced by the implementation):
//
//	type Config struct { ... }                       // validated by Open
//	func Open(ctx context.Context, cfg Config, logger *slog.Logger, reg prometheus.Registerer) (*Bus, error)
//	func (b *Bus) Conn() *nats.Conn                  // for the NATS front end in ingest
//	func (b *Bus) Follow(ctx context.Context, st *store.Store) error
//	func (b *Bus) Applied() uint64
//	func (b *Bus) Wait(ctx context.Context, seq uint64) error
//	func (b *Bus) Append(ctx context.Context, after uint64, events []store.Event) (seqs []uint64, err error)
//	func (b *Bus) Status() Status
//	func (b *Bus) Close(ctx context.Context) error
