package runwire

import (
	"cmp"
	"context"
	"iter"
	"sync"
	"sync/atomic"

	runwirev1 "example.com/runwire/clients/go/runwire/v1"
)

// Conversation is a session to talk in: ask and wait, or send now and listen elsewhere. Safe for concurrent use.
type Conversation struct {
	client      *Client
	userID      string
	sessionID   atomic.Pointer[string]
	sending     chan struct{} // full while a run is sent: the first may have to make the session that the next is for
	subscribers sync.Map      // functions that follow a run that begins
}

// Conversation returns a conversation of that user. Without a session id the server makes the session with the first run.
func (c *Client) Conversation(userID, sessionID string) *Conversation {
	made := &Conversation{client: c, userID: userID, sending: make(chan struct{}, 1)}
	made.sessionID.Store(&sessionID)
	return made
}

// SessionID names the session; empty until the first run has begun.
func (c *Conversation) SessionID() string { return *c.sessionID.Load() }

// Run returns a run in this conversation, see [Client.Run]. User and session are filled in.
func (c *Conversation) Run(request *runwirev1.RunRequest) *Run {
	run := c.client.Run(request)
	run.request.UserId, run.request.SessionId = c.userID, c.SessionID()
	announce := sync.OnceFunc(func() {
		c.subscribers.Range(func(_, follow any) bool { go follow.(func(*Run))(run); return true })
	})
	run.began = func(sessionID string) {
		c.sessionID.Store(&sessionID)
		announce()
	}
	return run
}

// Chat says something, and returns the answer's text. Errors: as [Run.Text].
func (c *Conversation) Chat(ctx context.Context, request *runwirev1.RunRequest) (string, error) {
	return c.Run(request).Text(ctx)
}

// Send starts a detached run, which nobody need follow, and returns its request id once the server has it; the run may
// wait for another one of the session. Errors: [CallError].
func (c *Conversation) Send(ctx context.Context, request *runwirev1.RunRequest) (requestID string, err error) {
	select {
	case c.sending <- struct{}{}:
		defer func() { <-c.sending }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	run := c.Run(request)
	run.request.Options = cmp.Or(run.request.Options, &runwirev1.RunOptions{})
	run.request.Options.DetachedCancel, run.isSent = true, true
	for _, err := range run.Events(ctx) {
		return "", err // an event does not come, see isSent
	}
	run.began(c.SessionID())
	return run.RequestID, nil
}

// Subscribe yields the events of all runs that begin through this conversation from now on, mixed, until the context is
// done or the loop is left; range over it once. Whatever the channels (none: all), the first and the last event of a run,
// errors and approvals come. Errors: [CallError].
func (c *Conversation) Subscribe(ctx context.Context, channels ...runwirev1.Channel) iter.Seq2[*runwirev1.Event, error] {
	came := make(chan *runwirev1.Event)
	ctx, cancel := context.WithCancelCause(ctx)
	context.AfterFunc(ctx, func() { c.subscribers.Delete(came) })
	c.subscribers.Store(came, func(run *Run) {
		for event, err := range run.from(0, &runwirev1.StreamOptions{Channels: channels}).Events(ctx) {
			if err != nil {
				cancel(err)
				return
			}
			select {
			case came <- event:
			case <-ctx.Done():
			}
		}
	})
	return func(yield func(*runwirev1.Event, error) bool) {
		defer cancel(nil)
		for isWanted := true; isWanted; {
			select {
			case event := <-came:
				isWanted = yield(event, nil)
			case <-ctx.Done():
				yield(nil, context.Cause(ctx))
				return
			}
		}
	}
}
