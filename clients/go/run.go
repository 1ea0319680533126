package runwire

import (
	"cmp"
	"context"
	"io"
	"iter"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	runwirev1 "example.com/runwire/clients/go/runwire/v1"
)

// Run is one run. It can be read any number of times, also at the same time: each reading begins where the run does (or
// where [Client.Attach] says), continues over connections that break, and ends with the context's error when that is
// done. Errors of all: [CallError].
type Run struct {
	RequestID string
	// Timeout is the deadline of the call that starts the run: the server ends the run by it, TIMED_OUT, and readers see
	// that end. Set it before reading. Zero: only the context's, which ends the reading, too.
	Timeout time.Duration

	client  *Client
	request *runwirev1.RunRequest // nil when it was started elsewhere
	attach  *runwirev1.AttachRequest
	// Called when the server has the run, to ask whether that is enough; and when the run has begun. May be called again.
	accepted func() bool
	began    func(sessionID string)
}

// Deltas yields the assistant's text piece by piece, each once, whatever the connection did.
func (r *Run) Deltas(ctx context.Context) iter.Seq2[string, error] {
	return pick(r.steps(ctx, false), func(s step) (string, bool) { return s.fresh, s.fresh != "" && s.Role != tool })
}

// Messages yields each message when it is whole: those of the assistant, and the results of tools. Errors:
// [RunEndedError] at the end, too.
func (r *Run) Messages(ctx context.Context) iter.Seq2[*runwirev1.Message, error] {
	return pick(r.steps(ctx, true), func(s step) (*runwirev1.Message, bool) { return s.whole, s.whole != nil })
}

// MessageStreams yields a stream for each of those messages as soon as it begins. Errors: as Messages.
func (r *Run) MessageStreams(ctx context.Context) iter.Seq2[*MessageStream, error] {
	return pick(r.steps(ctx, true), func(s step) (*MessageStream, bool) { return s.MessageStream, s.isNew })
}

// Result reads to the end, and returns how the run ended; io.ErrUnexpectedEOF when that was before where reading began.
func (r *Run) Result(ctx context.Context) (*runwirev1.Completion, error) {
	for event, err := range r.Events(ctx) {
		if completion := event.GetCompletion(); completion != nil || err != nil {
			return completion, err
		}
	}
	return nil, io.ErrUnexpectedEOF
}

// Text reads to the end, and returns the text of the last message. Errors: [RunEndedError], and as Result.
func (r *Run) Text(ctx context.Context) (string, error) {
	text := ""
	for event, err := range r.Events(ctx) {
		if said := event.GetMessage().GetMessage(); said.GetRole() == assistant {
			text = cmp.Or(said.Content, text)
		}
		if completion := event.GetCompletion(); completion != nil || err != nil {
			return cmp.Or(completion.GetMessage().GetContent(), text), cmp.Or(err, endingError(completion))
		}
	}
	return "", io.ErrUnexpectedEOF
}

// MessageStream is one message of a run, from its first piece on. It can be read late, again, and by many: each reading
// follows the run from where the message began. Errors: [CallError], [RunEndedError].
type MessageStream struct {
	ID    string // a tool's result has that of its call
	Role  runwirev1.Role
	run   *Run
	after int64
}

// Pieces yields the text piece by piece, until the message is whole. No more come when the server takes back what was
// yielded (a plugin changed the message, another attempt wrote it anew): only Message has the truth then.
func (s *MessageStream) Pieces(ctx context.Context) iter.Seq2[string, error] {
	return pick(s.steps(ctx), func(s step) (string, bool) { return s.fresh, s.fresh != "" })
}

// Message waits for the whole message. Errors: [ErrMessageCut], too.
func (s *MessageStream) Message(ctx context.Context) (*runwirev1.Message, error) {
	for step, err := range s.steps(ctx) {
		if step.whole != nil || err != nil {
			return step.whole, err
		}
	}
	return nil, ErrMessageCut
}

// steps yields those of this message, until it is whole.
func (s *MessageStream) steps(ctx context.Context) iter.Seq2[step, error] {
	at := proto.CloneOf(s.run.attach)
	at.AfterSequence = s.after
	return func(yield func(step, error) bool) {
		for step, err := range s.run.client.Attach(at).steps(ctx, true) {
			isOurs := err != nil || step.Role == s.Role && step.ID == s.ID
			if isOurs && (!yield(step, err) || step.whole != nil) {
				return
			}
		}
	}
}

const assistant, tool = runwirev1.Role_ROLE_ASSISTANT, runwirev1.Role_ROLE_TOOL

// step is what an event says of a message. The stream is as it is when the message begins here.
type step struct {
	*MessageStream
	isNew bool
	fresh string // what is new of the text
	whole *runwirev1.Message
}

// steps yields what the events say of messages; at the end, if it shall, an error unless the run ended well.
func (r *Run) steps(ctx context.Context, raises bool) iter.Seq2[step, error] {
	return func(yield func(step, error) bool) {
		open := map[string][]rune{}
		for event, err := range r.Events(ctx) {
			isWanted := tell(event, func(role runwirev1.Role, id string, offset int64, piece string, whole *runwirev1.Message) bool {
				known, isOpen := open[role.String()+id]
				grown, fresh := grow(known, offset, []rune(piece), whole != nil)
				if open[role.String()+id] = grown; whole != nil {
					delete(open, role.String()+id)
				}
				// From one before the event, which may be the whole of the message itself.
				stream := &MessageStream{id, role, r, max(event.Sequence-1, 0)}
				return yield(step{stream, !isOpen, fresh, whole}, nil)
			})
			if raises {
				err = cmp.Or(err, endingError(event.GetCompletion()))
			}
			if !isWanted || err != nil && !yield(step{MessageStream: &MessageStream{}}, err) {
				return
			}
		}
	}
}

// tell calls show with what the event says of messages: a piece of the text of one, or the whole of it. It stops when
// that returns false, and returns that.
func tell(event *runwirev1.Event, show func(runwirev1.Role, string, int64, string, *runwirev1.Message) bool) bool {
	switch payload := event.GetPayload().(type) {
	case *runwirev1.Event_TextDelta:
		return show(assistant, payload.TextDelta.MessageId, payload.TextDelta.Offset, payload.TextDelta.Text, nil)
	case *runwirev1.Event_ReasoningDelta:
		return show(assistant, payload.ReasoningDelta.MessageId, 0, "", nil)
	case *runwirev1.Event_ToolCallDelta:
		return show(assistant, payload.ToolCallDelta.MessageId, 0, "", nil)
	case *runwirev1.Event_ToolOutputDelta:
		output := payload.ToolOutputDelta
		return show(tool, output.ToolCallId, output.Offset, output.Text, nil)
	case *runwirev1.Event_ToolResults:
		for _, result := range payload.ToolResults.Results {
			said := &runwirev1.Message{Role: tool, Content: result.Content, ToolCallId: result.ToolCallId, ToolName: result.ToolName}
			if !show(tool, result.ToolCallId, 0, result.Content, said) {
				return false
			}
		}
	case *runwirev1.Event_Message:
		said := payload.Message.Message
		isAnswer := said.GetRole() != runwirev1.Role_ROLE_USER && said.GetRole() != runwirev1.Role_ROLE_SYSTEM
		return !isAnswer || show(said.GetRole(), payload.Message.MessageId, 0, said.GetContent(), said)
	}
	return true
}

// grow adds a piece to a text, and returns that, and what is new of it: nothing if it does not agree with what is known.
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

// pick yields what choose picks of each step, if it does, and the errors.
func pick[T any](steps iter.Seq2[step, error], choose func(step) (T, bool)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for step, err := range steps {
			if picked, isPicked := choose(step); (isPicked || err != nil) && !yield(picked, err) {
				return
			}
		}
	}
}
