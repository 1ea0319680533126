package runwire

import (
	"cmp"
	"context"
	"io"
	"iter"
	"slices"
	"time"

	runwirev1 "example.com/runwire/clients/go/runwire/v1"
)

// Run is one run. It can be read any number of times, also at the same time: each reading begins where the run does (or
// where [Client.Attach] says), goes on when connections break, and ends with the context's error when that is done.
// Errors of all: [CallError]; io.ErrUnexpectedEOF for what was over before where reading began, or never came.
type Run struct {
	RequestID string
	// Timeout is the deadline of the call that starts the run: the server ends the run by it, TIMED_OUT, and readers see
	// that end. Set it before reading. Zero: only the context's, which ends the reading, too.
	Timeout time.Duration
	client  *Client
	request *runwirev1.RunRequest // nil when it was started elsewhere
	attach  *runwirev1.AttachRequest
	began   func(sessionID string) // may be called again
	isSent  bool                   // reading ends when the server has the run, and its session is known
}

// from returns the run, attached to after that sequence.
func (r *Run) from(after int64, stream *runwirev1.StreamOptions) *Run {
	at := &runwirev1.AttachRequest{AppName: r.attach.AppName, RequestId: r.RequestID, AfterSequence: after, Stream: stream}
	return r.client.Attach(at)
}

// Deltas yields the assistant's text piece by piece, each once, whatever the connection did.
func (r *Run) Deltas(ctx context.Context) iter.Seq2[string, error] {
	return pick(ctx, r, false, nil, func(s step) (string, bool) { return s.fresh, s.fresh != "" && s.Role != tool })
}

// Messages yields each message of the assistant and of tools when it is whole. Errors: [RunEndedError], at the end.
func (r *Run) Messages(ctx context.Context) iter.Seq2[*runwirev1.Message, error] {
	return pick(ctx, r, true, nil, func(s step) (*runwirev1.Message, bool) { return s.whole, s.whole != nil })
}

// MessageStreams yields a stream for each of those messages as soon as it begins. Errors: as Messages.
func (r *Run) MessageStreams(ctx context.Context) iter.Seq2[*MessageStream, error] {
	return pick(ctx, r, true, nil, func(s step) (*MessageStream, bool) { return s.MessageStream, s.isNew })
}

// Text reads to the end, and returns the text of the last message. Errors: [RunEndedError].
func (r *Run) Text(ctx context.Context) (text string, err error) {
	for event, err := range r.Events(ctx) {
		if said := event.GetMessage().GetMessage(); said.GetRole() == assistant {
			text = cmp.Or(said.Content, text)
		}
		if end := event.GetCompletion(); end != nil || err != nil {
			return cmp.Or(end.GetMessage().GetContent(), text), cmp.Or(err, endingError(event))
		}
	}
	return "", io.ErrUnexpectedEOF
}

// Result reads to the end, and returns how the run ended.
func (r *Run) Result(ctx context.Context) (*runwirev1.Completion, error) {
	for event, err := range r.Events(ctx) {
		if end := event.GetCompletion(); end != nil || err != nil {
			return end, err
		}
	}
	return nil, io.ErrUnexpectedEOF
}

// MessageStream is one message of a run, from its first piece on. It can be read late, again, and by many: each reading
// follows the run from where the message began. Errors: [CallError], [RunEndedError].
type MessageStream struct {
	ID   string // a tool's result has that of its call
	Role runwirev1.Role
	run  *Run // from where the message began
}

// Pieces yields the text piece by piece, until the message is whole. No more come when the server takes back what was
// yielded (a plugin changed the message, another attempt wrote it anew): only Message has the truth then.
func (s *MessageStream) Pieces(ctx context.Context) iter.Seq2[string, error] {
	return pick(ctx, s.run, true, s, func(s step) (string, bool) { return s.fresh, s.fresh != "" })
}

// Message waits for the whole message.
func (s *MessageStream) Message(ctx context.Context) (*runwirev1.Message, error) {
	for whole, err := range pick(ctx, s.run, true, s, func(s step) (*runwirev1.Message, bool) { return s.whole, s.whole != nil }) {
		return whole, err
	}
	return nil, io.ErrUnexpectedEOF
}

const assistant, tool = runwirev1.Role_ROLE_ASSISTANT, runwirev1.Role_ROLE_TOOL

// step is what an event says of a message.
type step struct {
	*MessageStream        // as it is when the message begins here
	isNew          bool   // which it does
	fresh          string // what is new of the text
	whole          *runwirev1.Message
}

// pick yields what choose picks of a run's steps, or only of those of one message, until that is whole; at the end, if it
// shall, an error unless the run ended well.
func pick[T any](
	ctx context.Context, r *Run, raises bool, only *MessageStream, choose func(step) (T, bool),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		open := map[string][]rune{}
		for event, err := range r.Events(ctx) {
			for _, step := range r.steps(event, open) {
				if only != nil && (step.ID != only.ID || step.Role != only.Role) {
					continue
				}
				if picked, isPicked := choose(step); isPicked && !yield(picked, nil) || only != nil && step.whole != nil {
					return
				}
			}
			if raises {
				err = cmp.Or(err, endingError(event))
			}
			if err != nil {
				yield(*new(T), err)
				return
			}
		}
	}
}

// steps tells what an event says of messages. Of those that are not whole yet, the texts are open.
func (r *Run) steps(event *runwirev1.Event, open map[string][]rune) (steps []step) {
	add := func(role runwirev1.Role, id string, offset int64, piece string, whole *runwirev1.Message) {
		key := role.String() + id
		known, isOpen := open[key]
		grown, fresh := grow(known, offset, []rune(piece), whole != nil)
		if open[key] = grown; whole != nil {
			delete(open, key)
		}
		// From before the event, which may be the whole message.
		stream := &MessageStream{id, role, r.from(max(event.Sequence-1, 0), r.attach.Stream)}
		steps = append(steps, step{stream, !isOpen, fresh, whole})
	}
	switch payload := event.GetPayload().(type) {
	case *runwirev1.Event_TextDelta:
		add(assistant, payload.TextDelta.MessageId, payload.TextDelta.Offset, payload.TextDelta.Text, nil)
	case *runwirev1.Event_ReasoningDelta:
		add(assistant, payload.ReasoningDelta.MessageId, 0, "", nil)
	case *runwirev1.Event_ToolCallDelta:
		add(assistant, payload.ToolCallDelta.MessageId, 0, "", nil)
	case *runwirev1.Event_ToolOutputDelta:
		output := payload.ToolOutputDelta
		add(tool, output.ToolCallId, output.Offset, output.Text, nil)
	case *runwirev1.Event_ToolResults:
		for _, said := range payload.ToolResults.Results {
			whole := &runwirev1.Message{Role: tool, Content: said.Content, ToolCallId: said.ToolCallId, ToolName: said.ToolName}
			add(tool, said.ToolCallId, 0, said.Content, whole)
		}
	case *runwirev1.Event_Message:
		said := payload.Message.Message
		if said.GetRole() != runwirev1.Role_ROLE_USER && said.GetRole() != runwirev1.Role_ROLE_SYSTEM {
			add(said.GetRole(), payload.Message.MessageId, 0, said.GetContent(), said)
		}
	}
	return steps
}

// grow adds a piece to what is known of a text, and returns what is new; nothing if they do not agree.
func grow(known []rune, offset int64, piece []rune, isWhole bool) (grown []rune, fresh string) {
	if offset > int64(len(known)) {
		return known, "" // the whole will fill the gap
	}
	both := min(len(known)-int(offset), len(piece))
	if !slices.Equal(known[offset:][:both], piece[:both]) || isWhole && both < len(known) {
		return append(known, -1), "" // nothing agrees with it from here on
	}
	return append(known, piece[both:]...), string(piece[both:])
}

func endingError(event *runwirev1.Event) error {
	if end := event.GetCompletion(); end != nil && end.Outcome != runwirev1.Outcome_OUTCOME_COMPLETED {
		return &RunEndedError{end}
	}
	return nil
}
