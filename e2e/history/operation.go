package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	// Families is how many families a group has at most.
	Families = 5
	// Gateways is how many gateways there are.
	Gateways = 3
	// Nobody is the gateway of an operation if it is not known which one it was.
	Nobody = -1
)

// A State is the value of each family of a group, 0 for a family that it does not have.
// The zero State is that of a group that does not exist.
type State [Families]int64

// Kind says what an operation is.
type Kind string

// The kinds of operations. Start and End belong to all groups. Their call and their
// return are the same tick.
const (
	Put    Kind = "put"    // replaces the group
	Post   Kind = "post"   // replaces families of the group
	Delete Kind = "delete" // removes the group
	Read   Kind = "read"   // what a gateway showed
	Start  Kind = "start"  // a gateway is started
	End    Kind = "end"    // all gateways have come to the end of the stream
)

// Outcome says what is known of a change.
type Outcome string

// The outcomes of a change.
const (
	Accepted Outcome = "accepted"
	Refused  Outcome = "refused" // it has no effect, now or later
	Unknown  Outcome = "unknown" // it may have an effect at any later time
)

// An Operation is one change or read of a group, or an event of a gateway's life.
type Operation struct {
	Kind    Kind      `json:"kind"`
	Group   string    `json:"group,omitempty"`
	Client  string    `json:"client,omitempty"`
	Gateway int       `json:"gateway"` // that answered, or was started; or Nobody
	State   State     `json:"state"`   // pushed or read
	Outcome Outcome   `json:"outcome,omitempty"`
	Call    int64     `json:"call"`   // the tick at which it began
	Return  int64     `json:"return"` // the tick at which its client knew how it ended
	Time    time.Time `json:"time"`   // of the call, for people
	Answer  string    `json:"answer,omitempty"`
}

// String describes the operation in a line.
func (o Operation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s [%d, %d] %s", o.Time.Format("15:04:05.000"), o.Call, o.Return, o.Kind)
	if o.Group != "" {
		fmt.Fprintf(&b, " of %s %v", o.Group, o.State)
	}
	if o.Gateway != Nobody {
		fmt.Fprintf(&b, " gateway %d", o.Gateway)
	}
	if o.Client != "" {
		fmt.Fprintf(&b, " by %s", o.Client)
	}
	if o.Outcome != "" {
		fmt.Fprintf(&b, ": %s %s", o.Outcome, o.Answer)
	}
	return b.String()
}

func (o Operation) isChange() bool { return o.Kind == Put || o.Kind == Post || o.Kind == Delete }

// apply returns the state of a group after a change.
func (o Operation) apply(before State) State {
	switch o.Kind {
	case Put:
		return o.State
	case Post:
		for i, value := range o.State {
			if value != 0 {
				before[i] = value
			}
		}
		return before
	}
	return State{}
}

// Write writes operations, one a line, as JSON.
func Write(w io.Writer, operations []Operation) error {
	buffered := bufio.NewWriter(w)
	encoder := json.NewEncoder(buffered)
	for _, o := range operations {
		if err := encoder.Encode(o); err != nil {
			return fmt.Errorf("write the history: %w", err)
		}
	}
	return buffered.Flush()
}

// ReadAll reads what Write has written.
func ReadAll(r io.Reader) ([]Operation, error) {
	var operations []Operation
	decoder := json.NewDecoder(r)
	for {
		var o Operation
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			return operations, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the history: %w", err)
		}
		operations = append(operations, o)
	}
}
