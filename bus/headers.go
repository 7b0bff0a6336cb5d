package bus

// Headers of a message that the server reads when it is appended, beside those of
// the event.
const (
	headerMsgID       = "Nats-Msg-Id"
	headerExpectedSeq = "Nats-Expected-Last-Sequence"
	headerExpectedID  = "Nats-Expected-Last-Msg-Id"
	headerBatchID     = "Nats-Batch-Id"
	headerBatchSeq    = "Nats-Batch-Sequence"
	headerBatchCommit = "Nats-Batch-Commit"
	maxHeaderBytes    = 65535
	roomForAppend     = 512 // bytes of the headers that Append adds
)
