package runwire

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	runwirev1 "example.com/runwire/clients/go/runwire/v1"
)

// A stream of the server below: what it sends, and what it ends with; endless when that is errEndless.
type scripted struct {
	events []*runwirev1.Event
	end    error
}

var errEndless = errors.New("not before the client goes")

type server struct {
	runwirev1.UnimplementedRunnerServiceServer
	streams []scripted
	// What was asked for, and who went.
	runs    []*runwirev1.RunRequest
	afters  []int64
	cancels []time.Duration
	left    chan error
}

func (s *server) Run(request *runwirev1.RunRequest, stream grpc.ServerStreamingServer[runwirev1.RunResponse]) error {
	s.runs = append(s.runs, request)
	return s.play(stream, func(event *runwirev1.Event) error { return stream.Send(&runwirev1.RunResponse{Event: event}) })
}

func (s *server) Attach(request *runwirev1.AttachRequest, stream grpc.ServerStreamingServer[runwirev1.AttachResponse]) error {
	s.afters = append(s.afters, request.AfterSequence)
	return s.play(stream, func(event *runwirev1.Event) error { return stream.Send(&runwirev1.AttachResponse{Event: event}) })
}

func (s *server) Cancel(ctx context.Context, _ *runwirev1.CancelRequest) (*runwirev1.CancelResponse, error) {
	deadline, _ := ctx.Deadline()
	s.cancels = append(s.cancels, time.Until(deadline))
	return &runwirev1.CancelResponse{Changed: true}, nil
}

func (s *server) play(stream grpc.ServerStream, send func(*runwirev1.Event) error) error {
	script := s.streams[0]
	s.streams = s.streams[1:]
	if err := stream.SendHeader(metadata.Pairs("x-request-id", "r")); err != nil {
		return err
	}
	for _, event := range script.events {
		if err := send(event); err != nil {
			return err
		}
	}
	if script.end == errEndless {
		<-stream.Context().Done()
		s.left <- stream.Context().Err()
	}
	return script.end
}

func serve(t *testing.T, streams ...scripted) (*server, *Client) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := &server{streams: streams, left: make(chan error, 10)}
	host := grpc.NewServer()
	runwirev1.RegisterRunnerServiceServer(host, served)
	go host.Serve(listener)
	t.Cleanup(host.Stop)
	client, err := NewClient(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return served, client
}

func started(sequence int64) *runwirev1.Event {
	run := &runwirev1.Run{Session: &runwirev1.SessionKey{SessionId: "s"}}
	return &runwirev1.Event{Sequence: sequence, Payload: &runwirev1.Event_RunStarted{RunStarted: &runwirev1.RunStarted{Run: run}}}
}

func unknown(sequence int64) *runwirev1.Event { return &runwirev1.Event{Sequence: sequence} }

func ended(sequence int64) *runwirev1.Event {
	completion := &runwirev1.Completion{Outcome: runwirev1.Outcome_OUTCOME_COMPLETED}
	return &runwirev1.Event{Sequence: sequence, Payload: &runwirev1.Event_Completion{Completion: completion}}
}

func caughtUp(sequence int64) *runwirev1.Event {
	return &runwirev1.Event{Sequence: sequence, Payload: &runwirev1.Event_CaughtUp{CaughtUp: &runwirev1.CaughtUp{}}}
}

func leave(sequence int64) *runwirev1.Event {
	return &runwirev1.Event{Sequence: sequence, Payload: &runwirev1.Event_Reconnect{Reconnect: &runwirev1.Reconnect{}}}
}

func broken(code codes.Code) error { return status.Error(code, "cut") }

func TestAReaderGoesOnAfterWhatItHas(t *testing.T) {
	served, client := serve(t,
		scripted{nil, broken(codes.Unavailable)},
		scripted{[]*runwirev1.Event{started(1)}, broken(codes.Internal)},
		scripted{[]*runwirev1.Event{caughtUp(1), unknown(2), leave(2)}, nil},
		scripted{[]*runwirev1.Event{unknown(3)}, nil},
		scripted{[]*runwirev1.Event{ended(4)}, nil},
	)

	var sequences []int64
	for event, err := range client.Run(&runwirev1.RunRequest{UserId: "u"}).Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		sequences = append(sequences, event.Sequence)
	}

	if len(sequences) != 4 || sequences[3] != 4 {
		t.Errorf("came: %v", sequences)
	}
	if len(served.runs) != 2 || served.runs[0].RequestId == "" || served.runs[0].RequestId != served.runs[1].RequestId {
		t.Errorf("ran: %v", served.runs)
	}
	if len(served.afters) != 3 || served.afters[0] != 1 || served.afters[1] != 2 || served.afters[2] != 3 {
		t.Errorf("attached after: %v", served.afters)
	}
}

func TestTheServersWordIsFinal(t *testing.T) {
	bug, _ := status.New(codes.Internal, "a bug").WithDetails(&errdetails.ErrorInfo{Reason: "INTERNAL"})
	_, client := serve(t, scripted{[]*runwirev1.Event{started(1)}, bug.Err()})

	_, err := client.Attach(&runwirev1.AttachRequest{RequestId: "r"}).Result(t.Context())

	var call *CallError
	if !errors.As(err, &call) || call.Reason != "INTERNAL" {
		t.Errorf("%v", err)
	}
}

func TestBehindTheEndThereIsNothing(t *testing.T) {
	_, client := serve(t, scripted{[]*runwirev1.Event{caughtUp(4)}, nil})

	_, err := client.Attach(&runwirev1.AttachRequest{RequestId: "r", AfterSequence: 4}).Text(t.Context())

	if err != io.ErrUnexpectedEOF {
		t.Errorf("%v", err)
	}
}

func TestAServerThatIsNotThereIsAnErrorSoon(t *testing.T) {
	client, err := NewClient("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	begin := time.Now()

	_, err = client.Chat(t.Context(), &runwirev1.RunRequest{UserId: "u"})

	if status.Code(err) != codes.Unavailable || time.Since(begin) > 2*time.Second {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
}

func TestLeavingTheLoopOrCancellingEndsTheCallAndLeavesNothing(t *testing.T) {
	endless := scripted{[]*runwirev1.Event{started(1)}, errEndless}
	served, client := serve(t, endless, endless, scripted{nil, errEndless})
	for range client.Run(&runwirev1.RunRequest{UserId: "u"}).Events(t.Context()) {
		break
	}
	expectLeft(t, served)
	before := runtime.NumGoroutine()

	ctx, cancel := context.WithCancel(t.Context())
	var err error
	for _, err = range client.Run(&runwirev1.RunRequest{UserId: "u"}).Events(ctx) {
		cancel()
	}
	expectLeft(t, served)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := client.Chat(ctx, &runwirev1.RunRequest{UserId: "u"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	expectLeft(t, served)

	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines are left over", runtime.NumGoroutine()-before)
		}
	}
}

func TestASubscriptionLeavesNothing(t *testing.T) {
	served, client := serve(t,
		scripted{[]*runwirev1.Event{started(1)}, errEndless},
		scripted{[]*runwirev1.Event{started(1)}, errEndless},
		scripted{nil, errEndless},
		scripted{[]*runwirev1.Event{started(1), ended(2)}, nil},
	)
	conversation := client.Conversation("u", "")
	events := conversation.Subscribe(t.Context(), runwirev1.Channel_CHANNEL_CONTROL)
	send := func() {
		if _, err := conversation.Send(t.Context(), &runwirev1.RunRequest{}); err != nil {
			t.Fatal(err)
		}
		expectLeft(t, served)
	}
	send()
	for event, err := range events {
		if event.GetRunStarted() == nil || err != nil {
			t.Errorf("%v %v", event, err)
		}
		break
	}
	expectLeft(t, served)

	send()

	if second := served.runs[1]; second.SessionId != "s" || second.UserId != "u" || !second.Options.DetachedCancel {
		t.Errorf("%v", second)
	}
	conversation.subscribers.Range(func(_, _ any) bool {
		t.Error("a subscriber is left over")
		return false
	})
	if len(served.afters) != 1 {
		t.Errorf("followed %v", served.afters)
	}
}

func TestAUnaryCallHasATimeout(t *testing.T) {
	served, client := serve(t)
	minute, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	for _, ctx := range []context.Context{t.Context(), minute} {
		if _, err := client.Runner.Cancel(ctx, &runwirev1.CancelRequest{}); err != nil {
			t.Fatal(err)
		}
	}

	if served.cancels[0] > 30*time.Second || served.cancels[1] < 50*time.Second {
		t.Errorf("left: %v", served.cancels)
	}
}

func expectLeft(t *testing.T, served *server) {
	t.Helper()
	select {
	case <-served.left:
	case <-time.After(5 * time.Second):
		t.Fatal("the call goes on")
	}
}
