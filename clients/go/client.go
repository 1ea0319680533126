// Package runwire is a thin face over the generated code of Runwire, a service that runs LLM agents. A run is a log, and
// every reader of a [Run] follows it by a stream of its own: nothing is sent until it is read, and reading again is
// following again. A context ends waiting and reading at once; that does not cancel the run.
package runwire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	runwirev1 "example.com/runwire/clients/go/runwire/v1"
	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Client is a connection to a server. The generated clients are there for all that the face does not do: their unary
// calls return a [CallError], and end after 30 s unless their context has a deadline. Safe for concurrent use; Close it.
type Client struct {
	Runner   runwirev1.RunnerServiceClient
	Sessions runwirev1.SessionServiceClient
	Agents   runwirev1.AgentServiceClient
	*grpc.ClientConn
}

// NewClient returns a client of the server at host:port. It connects when first used; without TLS, unless the options
// say otherwise: they come after the client's own, and win.
func NewClient(target string, options ...grpc.DialOption) (*Client, error) {
	// gRPC's own delays grow to two minutes, and all calls fail while they last.
	delays := backoff.Config{BaseDelay: delayFirst, Multiplier: 2, Jitter: 0.2, MaxDelay: 2 * time.Second}
	c, err := grpc.NewClient(target, append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 60 * time.Second, Timeout: 20 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: delays, MinConnectTimeout: 20 * time.Second}),
		grpc.WithDefaultServiceConfig(runwirev1.ServiceConfig),
		grpc.WithChainUnaryInterceptor(callUnary),
	}, options...)...)
	if err != nil {
		return nil, err
	}
	runner, sessions := runwirev1.NewRunnerServiceClient(c), runwirev1.NewSessionServiceClient(c)
	return &Client{runner, sessions, runwirev1.NewAgentServiceClient(c), c}, nil
}

// Run returns the run of that request, which starts when it is first read. An empty request id is made here, so that
// the call may be repeated: the second one joins the run.
func (c *Client) Run(request *runwirev1.RunRequest) *Run {
	request = proto.CloneOf(request)
	request.RequestId = cmp.Or(request.RequestId, uuid.NewString())
	attach := &runwirev1.AttachRequest{AppName: request.AppName, RequestId: request.RequestId, Stream: request.Stream}
	return &Run{RequestID: request.RequestId, client: c, request: request, attach: attach, began: func(string) {}}
}

// Attach returns a run that was started elsewhere, to be read from a sequence on, live or finished.
func (c *Client) Attach(request *runwirev1.AttachRequest) *Run {
	return &Run{RequestID: request.RequestId, client: c, attach: proto.CloneOf(request), began: func(string) {}}
}

// Chat runs, waits, and returns the answer's text. Errors: as [Run.Text].
func (c *Client) Chat(ctx context.Context, request *runwirev1.RunRequest) (string, error) {
	return c.Run(request).Text(ctx)
}

func callUnary(
	ctx context.Context, method string, request, reply any,
	connection *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	if _, hasDeadline := ctx.Deadline(); !hasDeadline {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
	}
	return Translate(invoke(ctx, method, request, reply, connection, options...))
}

// CallError is a call that was refused, or could not be made; the status has the code and the message. The reason is in
// UPPER_SNAKE_CASE, or empty; the violations are the wrong fields. [errors.Is] finds the context's errors in it.
type CallError struct {
	*status.Status
	Reason     string
	Violations []*errdetails.BadRequest_FieldViolation
}

func (e *CallError) Error() string              { return "runwire: " + e.Status.String() }
func (e *CallError) GRPCStatus() *status.Status { return e.Status }
func (e *CallError) Is(target error) bool {
	return e.Code() != codes.Unknown && e.Code() == status.FromContextError(target).Code()
}

// Translate returns a gRPC status as a [CallError], and anything else as it is: for streams of the generated clients.
func Translate(err error) error {
	found, isStatus := status.FromError(err)
	if err == nil || !isStatus || errors.As(err, new(*CallError)) {
		return err
	}
	made := &CallError{Status: found}
	for _, detail := range found.Details() {
		info, _ := detail.(*errdetails.ErrorInfo)
		bad, _ := detail.(*errdetails.BadRequest)
		made.Reason = cmp.Or(made.Reason, info.GetReason())
		made.Violations = append(made.Violations, bad.GetFieldViolations()...)
	}
	return made
}

// RunEndedError is a run that ended other than COMPLETED.
type RunEndedError struct{ Completion *runwirev1.Completion }

func (e *RunEndedError) Error() string {
	why := cmp.Or(e.Completion.GetError().GetMessage(), e.Completion.GetCancelReason(), e.Completion.GetStopReason())
	return fmt.Sprintf("runwire: the run ended with %v: %s", e.Completion.GetOutcome(), why)
}
