// What a run's log must be, whoever follows it.

package main

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// journal checks the events of one stream as they come.
type journal struct {
	last      int64  // sequence of the newest durable event
	messageID []byte // which message the deltas belong to
	text      []byte // what they say so far
	runes     int64
	content   []byte // the newest whole message of the assistant
	isOver    bool
}

// add says what is wrong with the next event; empty: nothing.
func (j *journal) add(e *event) string {
	if j.isOver {
		return fmt.Sprintf("event %d after completion", e.sequence)
	}
	if problem := j.count(e); problem != "" {
		return problem
	}
	switch e.payload {
	case textDelta:
		return j.delta(e)
	case message:
		return j.whole(e)
	case reconnect:
		return fmt.Sprintf("told to reconnect after event %d", e.sequence)
	case completion:
		j.isOver = true
		if e.outcome != outcomeCompleted {
			return fmt.Sprintf("outcome %d: %s", e.outcome, e.reason)
		}
	}
	return ""
}

// count holds durable events to 1, 2, 3, …, and the others to the number of the one before.
func (j *journal) count(e *event) string {
	want := j.last
	if !e.isPartial && !e.isStreamOnly() {
		want++
	}
	if e.sequence != want {
		return fmt.Sprintf("sequence %d, not %d (payload %d)", e.sequence, want, e.payload)
	}
	j.last = want
	return ""
}

func (j *journal) delta(e *event) string {
	if !bytes.Equal(j.messageID, e.messageID) {
		j.messageID = append(j.messageID[:0], e.messageID...)
		j.text, j.runes = j.text[:0], 0
	}
	if e.offset == 0 {
		j.text, j.runes = j.text[:0], 0
	}
	if e.offset != j.runes {
		return fmt.Sprintf("delta at %d, not %d, after event %d", e.offset, j.runes, e.sequence)
	}
	j.text = append(j.text, e.text...)
	j.runes += int64(utf8.RuneCount(e.text))
	return ""
}

func (j *journal) whole(e *event) string {
	if e.role != roleAssistant {
		return ""
	}
	j.content = append(j.content[:0], e.text...)
	if bytes.Equal(j.messageID, e.messageID) && !bytes.Equal(j.text, e.text) {
		return fmt.Sprintf("message %d differs from its deltas: %d and %d bytes", e.sequence, len(e.text), len(j.text))
	}
	return ""
}
