package runwire

import (
	"cmp"
	"context"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	runwirev1 "example.com/runwire/clients/go/runwire/v1"
)

const (
	breaksMax      = 8
	firstBreaksMax = 3 // a server that was never reached is more likely not there than gone for a moment
	delayFirst     = 100 * time.Millisecond
	delayMax       = 5 * time.Second
)

// What a broken connection looks like: a proxy that cuts a stream says any of these.
var brokenCodes = []codes.Code{codes.Unavailable, codes.Internal, codes.Unknown, codes.Canceled}
var errEnded = status.Error(codes.Unavailable, "the server ended the stream before the run")

// reading is one reading of a run, over as many streams as it takes.
type reading struct {
	*Run
	at *runwirev1.AttachRequest // how to go on
	// The server answered; an event came.
	isReached, hasEvent bool
	// How many streams broke in a row; of the last one, whether anything happened, and the server's leave.
	breaks  int
	hasNews bool
	leave   *runwirev1.Reconnect
}

// Events yields the run's events, the completion last. Durable ones come exactly once, in order; the deltas of a message
// may come again from its beginning. What a newer server sends may have no payload. Leaving the loop cancels the call.
func (r *Run) Events(ctx context.Context) iter.Seq2[*runwirev1.Event, error] {
	return func(yield func(*runwirev1.Event, error) bool) {
		reading := reading{Run: r, at: proto.CloneOf(r.attach)}
		for err := reading.read(ctx, yield); err != nil; err = reading.read(ctx, yield) {
			delay, goesOn := reading.broke(err)
			if ctx.Err() != nil || !goesOn {
				yield(nil, cmp.Or(ctx.Err(), Translate(err)))
				return
			}
			select {
			case <-time.After(delay):
				r.client.reconnect(ctx)
			case <-ctx.Done():
			}
		}
	}
}

// read reads one stream. No error: there is nothing more to read, or nobody who wants it.
func (r *reading) read(caller context.Context, yield func(*runwirev1.Event, error) bool) error {
	ctx, cancel := context.WithCancel(caller)
	defer cancel()
	r.hasNews, r.leave = false, nil
	stream, response, err := r.open(ctx)
	if err != nil {
		return err
	}
	if header, _ := stream.Header(); len(header.Get("x-request-id")) > 0 {
		r.isReached = true
		if r.accepted != nil && r.accepted() {
			return nil
		}
	}
	for caller.Err() == nil {
		if err := stream.RecvMsg(response); err == io.EOF && !r.hasNews {
			return nil // it began behind the completion
		} else if err == io.EOF {
			return errEnded
		} else if err != nil {
			return err
		}
		event := response.GetEvent()
		r.at.AfterSequence, r.isReached, r.hasEvent = max(r.at.AfterSequence, event.GetSequence()), true, true
		switch payload := event.GetPayload().(type) {
		case *runwirev1.Event_CaughtUp:
		case *runwirev1.Event_Reconnect:
			r.leave = payload.Reconnect
			return errEnded
		case *runwirev1.Event_Heartbeat:
			r.hasNews = true
		default:
			r.hasNews = true
			if session := event.GetRunStarted().GetRun().GetSession(); session != nil && r.began != nil {
				r.began(session.SessionId)
			}
			if !yield(event, nil) || event.GetCompletion() != nil {
				return nil
			}
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

// broke counts a break, and says how long to wait after it, and whether to go on at all.
func (r *reading) broke(err error) (time.Duration, bool) {
	if r.hasNews {
		r.breaks = 0
	}
	r.breaks++
	found := status.Convert(err)
	// A deadline has ended the run, too, if the server had it: its completion is in the log.
	isBreak := slices.Contains(brokenCodes, found.Code()) || r.hasEvent && found.Code() == codes.DeadlineExceeded
	isServersWord := found.Code() != codes.Unavailable && len(found.Proto().GetDetails()) > 0
	isOneTooMany := r.breaks >= breaksMax || !r.isReached && r.breaks >= firstBreaksMax
	delay := time.Duration(float64(min(delayFirst<<r.breaks, delayMax)) * (0.5 + rand.Float64()/2))
	if r.leave != nil && r.breaks == 1 {
		delay = 0
	}
	return delay + r.leave.GetDelay().AsDuration(), isBreak && !isServersWord && !isOneTooMany
}
