package runwire

import (
	"cmp"
	"context"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	runwirev1 "example.com/runwire/clients/go/runwire/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	breaksMax, firstBreaksMax = 8, 3 // a server that was never reached is more likely not there than gone for a moment
	delayFirst, delayMax      = 100 * time.Millisecond, 5 * time.Second
	assistant, tool           = runwirev1.Role_ROLE_ASSISTANT, runwirev1.Role_ROLE_TOOL
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

// Events yields the run's events, the completion last. Durable ones come exactly once, in order; the deltas of a message
// may come again from its beginning. What a newer server sends may have no payload. Leaving the loop cancels the call.
func (r *Run) Events(ctx context.Context) iter.Seq2[*runwirev1.Event, error] {
	return func(yield func(*runwirev1.Event, error) bool) {
		reading := reading{Run: r, at: proto.CloneOf(r.attach)}
		for err := reading.read(ctx, yield); err != nil; err = reading.read(ctx, yield) {
			broken, breaks := status.Convert(err), reading.breaks
			// A proxy that cuts a stream says any of these. A deadline has ended the run, too, if the server had it.
			cuts := []codes.Code{codes.Unavailable, codes.Internal, codes.Unknown, codes.Canceled}
			isCut := slices.Contains(cuts, broken.Code()) || reading.hasEvent && broken.Code() == codes.DeadlineExceeded
			isFinal := broken.Code() != codes.Unavailable && len(broken.Proto().GetDetails()) > 0 // the server's own word
			isEnough := breaks >= breaksMax || breaks >= firstBreaksMax && !reading.isReached
			if ctx.Err() != nil || !isCut || isFinal || isEnough {
				yield(nil, cmp.Or(ctx.Err(), Translate(err)))
				return
			}
			delay := time.Duration(float64(min(delayFirst<<breaks, delayMax)) * (0.5 + rand.Float64()/2))
			if reading.leave != nil && breaks == 1 {
				delay = 0
			}
			pause, cancel := context.WithTimeout(ctx, delay+reading.leave.GetDelay().AsDuration())
			<-pause.Done()
			cancel()
			// Calls fail at once while gRPC waits before it connects again: it shall try now, and gets a moment for it.
			moment, cancel := context.WithTimeout(ctx, delayFirst)
			r.client.ResetConnectBackoff()
			r.client.WaitForStateChange(moment, connectivity.TransientFailure)
			cancel()
		}
	}
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
			return cmp.Or(end.GetMessage().GetContent(), text), cmp.Or(err, endingError(event, true))
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

// from returns the run, attached to after that sequence.
func (r *Run) from(after int64, stream *runwirev1.StreamOptions) *Run {
	at := &runwirev1.AttachRequest{AppName: r.attach.AppName, RequestId: r.RequestID, AfterSequence: after, Stream: stream}
	return r.client.Attach(at)
}

// reading is one reading of a run, over as many streams as it takes.
type reading struct {
	*Run
	at                  *runwirev1.AttachRequest // how to go on
	isReached, hasEvent bool                     // the server answered; an event came
	breaks              int                      // which break in a row the next one is
	leave               *runwirev1.Reconnect     // what the last stream ended with
}

// read reads one stream. No error: there is nothing more to read, or nobody who wants it.
func (r *reading) read(caller context.Context, yield func(*runwirev1.Event, error) bool) error {
	ctx, cancel := context.WithCancel(caller)
	defer cancel()
	r.breaks, r.leave = r.breaks+1, nil
	stream, response, err := r.open(ctx)
	if err != nil {
		return err
	}
	header, _ := stream.Header()
	r.isReached = r.isReached || len(header.Get("x-request-id")) > 0
	if r.isReached && r.isSent && r.request.SessionId != "" {
		return nil
	}
	for hasNews := false; caller.Err() == nil; {
		if err := stream.RecvMsg(response); err == io.EOF && !hasNews {
			return nil // it began behind the completion
		} else if err != nil {
			return err
		}
		event := response.GetEvent()
		r.at.AfterSequence, r.isReached, r.hasEvent = max(r.at.AfterSequence, event.GetSequence()), true, true
		if r.leave = event.GetReconnect(); r.leave != nil {
			return status.Error(codes.Unavailable, "the server keeps sending its readers away")
		} else if event.GetCaughtUp() != nil {
			continue
		} else if started := event.GetRunStarted(); started != nil {
			r.began(started.GetRun().GetSession().GetSessionId())
		}
		hasNews, r.breaks = true, 1
		if event.GetHeartbeat() == nil && (r.isSent || !yield(event, nil) || event.GetCompletion() != nil) {
			return nil
		}
	}
	return caller.Err()
}

// open calls Run, which may be repeated, until there is an event to go on after; then Attach, which has no deadline.
func (r *reading) open(ctx context.Context) (grpc.ClientStream, interface{ GetEvent() *runwirev1.Event }, error) {
	if r.request == nil || r.hasEvent {
		stream, err := r.client.Runner.Attach(ctx, r.at)
		return stream, new(runwirev1.AttachResponse), err
	}
	if r.Timeout > 0 {
		timed, cancel := context.WithTimeout(ctx, r.Timeout)
		context.AfterFunc(ctx, cancel)
		ctx = timed
	}
	stream, err := r.client.Runner.Run(ctx, r.request)
	return stream, new(runwirev1.RunResponse), err
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
// yielded, as when a plugin changes the message: only Message has the truth then.
func (s *MessageStream) Pieces(ctx context.Context) iter.Seq2[string, error] {
	fresh := func(s step) (string, bool) { return s.fresh, s.fresh != "" }
	return pick(ctx, s.run.from(s.after, s.run.attach.Stream), true, s, fresh)
}

// Message waits for the whole message.
func (s *MessageStream) Message(ctx context.Context) (*runwirev1.Message, error) {
	whole := func(s step) (*runwirev1.Message, bool) { return s.whole, s.whole != nil }
	for message, err := range pick(ctx, s.run.from(s.after, s.run.attach.Stream), true, s, whole) {
		return message, err
	}
	return nil, io.ErrUnexpectedEOF
}

// step is what an event says of a message.
type step struct {
	*MessageStream        // as it is when the message begins here
	isNew          bool   // which it does
	fresh          string // what is new of the text
	whole          *runwirev1.Message
}

// pick yields what choose picks of a run's steps, or only of those of one message until that is whole, and the errors.
func pick[T any](ctx context.Context, r *Run, raises bool, only *MessageStream, choose func(step) (T, bool)) iter.Seq2[T, error] {
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
			if err = cmp.Or(err, endingError(event, raises)); err != nil {
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
		grown, fresh := grow(known, int(offset), []rune(piece), whole != nil)
		if open[key] = grown; whole != nil {
			delete(open, key)
		}
		after := max(event.Sequence-1, 0) // the event itself may be the whole
		steps = append(steps, step{&MessageStream{id, role, r, after}, !isOpen, fresh, whole})
	}
	reasoning, call, said := event.GetReasoningDelta(), event.GetToolCallDelta(), event.GetMessage().GetMessage()
	if delta := event.GetTextDelta(); delta != nil {
		add(assistant, delta.MessageId, delta.Offset, delta.Text, nil)
	} else if output := event.GetToolOutputDelta(); output != nil {
		add(tool, output.ToolCallId, output.Offset, output.Text, nil)
	} else if reasoning != nil || call != nil {
		add(assistant, cmp.Or(reasoning.GetMessageId(), call.GetMessageId()), 0, "", nil)
	} else if said.GetRole() != runwirev1.Role_ROLE_USER && said.GetRole() != runwirev1.Role_ROLE_SYSTEM && said != nil {
		add(said.Role, event.GetMessage().MessageId, 0, said.Content, said)
	}
	for _, result := range event.GetToolResults().GetResults() {
		id, content := result.ToolCallId, result.Content
		add(tool, id, 0, content, &runwirev1.Message{Role: tool, Content: content, ToolCallId: id, ToolName: result.ToolName})
	}
	return steps
}

// grow adds a piece to what is known of a text, and returns what is new; nothing if they do not agree.
func grow(known []rune, offset int, piece []rune, isWhole bool) (grown []rune, fresh string) {
	at := min(offset, len(known))
	both := min(len(known)-at, len(piece))
	if at < offset || !slices.Equal(known[at:at+both], piece[:both]) || isWhole && both < len(known) {
		return append(known, -1), "" // nothing agrees with it from here on
	}
	return append(known, piece[both:]...), string(piece[both:])
}

func endingError(event *runwirev1.Event, raises bool) error {
	if end := event.GetCompletion(); raises && end != nil && end.Outcome != runwirev1.Outcome_OUTCOME_COMPLETED {
		return &RunEndedError{end}
	}
	return nil
}
