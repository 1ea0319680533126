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
	breaksMax      = 8
	firstBreaksMax = 3 // a server that was never reached is more likely not there than gone for a moment
	delayFirst     = 100 * time.Millisecond
	delayMax       = 5 * time.Second
)

// What a broken connection looks like: a proxy that cuts a stream says any of these.
var brokenCodes = []codes.Code{codes.Unavailable, codes.Internal, codes.Unknown, codes.Canceled}

// reading is one reading of a run, over as many streams as it takes.
type reading struct {
	*Run
	at                  *runwirev1.AttachRequest // how to go on
	isReached, hasEvent bool                     // the server answered; an event came
	breaks              int                      // which break in a row the next one is
	leave               *runwirev1.Reconnect     // what the last stream ended with
}

// Events yields the run's events, the completion last. Durable ones come exactly once, in order; the deltas of a message
// may come again from its beginning. What a newer server sends may have no payload. Leaving the loop cancels the call.
func (r *Run) Events(ctx context.Context) iter.Seq2[*runwirev1.Event, error] {
	return func(yield func(*runwirev1.Event, error) bool) {
		reading := reading{Run: r, at: proto.CloneOf(r.attach)}
		for err := reading.read(ctx, yield); err != nil; err = reading.read(ctx, yield) {
			if ctx.Err() != nil || !reading.goesOn(status.Convert(err)) {
				yield(nil, cmp.Or(ctx.Err(), Translate(err)))
				return
			}
			delay := time.Duration(float64(min(delayFirst<<reading.breaks, delayMax)) * (0.5 + rand.Float64()/2))
			if reading.leave != nil && reading.breaks == 1 {
				delay = 0
			}
			select {
			case <-time.After(delay + reading.leave.GetDelay().AsDuration()):
			case <-ctx.Done():
			}
			// Calls fail at once while gRPC waits before it connects again: it shall try now, and gets a moment for it.
			moment, cancel := context.WithTimeout(ctx, delayFirst)
			r.client.connection.ResetConnectBackoff()
			r.client.connection.WaitForStateChange(moment, connectivity.TransientFailure)
			cancel()
		}
	}
}

// read reads one stream. No error: there is nothing more to read, or nobody who wants it.
func (r *reading) read(caller context.Context, yield func(*runwirev1.Event, error) bool) error {
	ctx, cancel := context.WithCancel(caller)
	defer cancel()
	r.leave, r.breaks = nil, r.breaks+1
	stream, response, err := r.open(ctx)
	if err != nil {
		return err
	}
	if header, _ := stream.Header(); len(header.Get("x-request-id")) > 0 {
		r.isReached = true
		if r.isSent && r.request.SessionId != "" {
			return nil
		}
	}
	for hasNews := false; caller.Err() == nil; {
		if err := stream.RecvMsg(response); err == io.EOF && !hasNews {
			return nil // it began behind the completion
		} else if err != nil {
			return err
		}
		event := response.GetEvent()
		r.at.AfterSequence, r.isReached, r.hasEvent = max(r.at.AfterSequence, event.GetSequence()), true, true
		switch payload := event.GetPayload().(type) {
		case *runwirev1.Event_CaughtUp:
			continue
		case *runwirev1.Event_Reconnect:
			r.leave = payload.Reconnect
			return status.Error(codes.Unavailable, "the server keeps sending its readers away")
		case *runwirev1.Event_RunStarted:
			r.began(payload.RunStarted.GetRun().GetSession().GetSessionId())
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

func (r *reading) goesOn(broken *status.Status) bool {
	// A deadline has ended the run, too, if the server had it: its completion is in the log.
	isBreak := slices.Contains(brokenCodes, broken.Code()) || r.hasEvent && broken.Code() == codes.DeadlineExceeded
	isServersWord := broken.Code() != codes.Unavailable && len(broken.Proto().GetDetails()) > 0
	return isBreak && !isServersWord && r.breaks < breaksMax && (r.isReached || r.breaks < firstBreaksMax)
}
