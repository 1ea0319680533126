package runwire

import (
	"cmp"
	"context"
	"iter"
	"sync"
	"sync/atomic"

	runwirev1 "example.com/runwire/clients/go/runwire/v1"
	"google.golang.org/protobuf/proto"
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
	request = proto.CloneOf(request)
	request.UserId, request.SessionId = c.userID, c.SessionID()
	run := c.client.Run(request)
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

// Send starts a detached run, which nobody need follow, and returns its request id once the server has it. It may wait for
// another run of the session; Subscribe shows what it does. Errors: [CallError].
func (c *Conversation) Send(ctx context.Context, request *runwirev1.RunRequest) (requestID string, err error) {
	select {
	case c.sending <- struct{}{}:
		defer func() { <-c.sending }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	request = proto.CloneOf(request)
	request.Options = cmp.Or(request.Options, &runwirev1.RunOptions{})
	request.Options.DetachedCancel = true
	run := c.Run(request)
	run.isSent = true
	for _, err := range run.Events(ctx) {
		return "", err
	}
	run.began(c.SessionID())
	return run.RequestID, nil
}

// Subscribe yields the events of all runs that begin through this conversation from now on, mixed, as they come, until the
// context is done or the loop is left; range over it once. Without channels all are shown; the server filters, but always
// sends the first and the last event of a run, errors and approvals. Errors: [CallError].
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
		for {
			select {
			case <-ctx.Done():
				yield(nil, context.Cause(ctx))
				return
			case event := <-came:
				if !yield(event, nil) {
					return
				}
			}
		}
	}
}
