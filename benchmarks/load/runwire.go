// Load on a server that speaks Runwire's gRPC, without generated code.

package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	runMethod      = "/runwire.v1.RunnerService/Run"
	attachMethod   = "/runwire.v1.RunnerService/Attach"
	connectTimeout = 10 * time.Second
	// Windows are set, which also turns off the pings that measure them: those would cost the server.
	streamWindow     = 1 << 20
	connectionWindow = 16 << 20
	messageBytesMax  = 64 << 20
)

// runwire is the load of `load runwire`.
type runwire struct {
	plan
	target     string
	app        string
	agent      string
	users      int
	session    string
	followers  int
	isDetached bool
	isTrusting bool
	channels   []*grpc.ClientConn
}

func runwireCommand(arguments []string) error {
	var load runwire
	flags := flag.NewFlagSet("load runwire", flag.ContinueOnError)
	load.addFlags(flags)
	flags.StringVar(&load.target, "target", "127.0.0.1:50051", "HOST:PORT of the server")
	flags.IntVar(&load.connections, "connections", 1, "channels that the runs are spread over")
	flags.StringVar(&load.app, "app", "", "app; empty: the server's default")
	flags.StringVar(&load.agent, "agent", "", "agent; empty: the app's default")
	flags.IntVar(&load.users, "users", 0, "how many users, u0, u1, …; 0: one for each run at a time")
	flags.StringVar(&load.session, "session", "", "session PREFIX-i of the i-th run at a time, also when it is repeated;\n"+
		"empty: each run in a new session")
	flags.IntVar(&load.followers, "followers", 0, "Attach streams that follow each run once it has started")
	flags.BoolVar(&load.isDetached, "detached", false, "runs go on when nobody follows")
	flags.BoolVar(&load.isTrusting, "no-check", false, "check nothing but the call's status")
	if err := parse(flags, arguments); err != nil {
		return err
	}
	if err := load.check(); err != nil {
		return err
	}
	if load.connections < 1 || load.users < 0 || load.followers < 0 {
		return errors.New("connections is more than 0, users and followers not less")
	}
	if load.users == 0 {
		load.users = load.runs
	}
	load.waiting.Store(int64(load.runs * (1 + load.followers)))
	if err := load.connect(); err != nil {
		return err
	}
	return load.print(load.drive(load.run))
}

// connect opens all channels, so that no run has to wait for one.
func (l *runwire) connect() error {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	for range l.connections {
		channel, err := grpc.NewClient("passthrough:///"+l.target,
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithInitialWindowSize(streamWindow),
			grpc.WithInitialConnWindowSize(connectionWindow),
			grpc.WithContextDialer(dialCalm),
			grpc.WithReadBufferSize(256<<10),
			grpc.WithIdleTimeout(0),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(messageBytesMax)))
		if err != nil {
			return err
		}
		l.channels = append(l.channels, channel)
		channel.Connect()
	}
	for _, channel := range l.channels {
		for state := channel.GetState(); state != connectivity.Ready; state = channel.GetState() {
			if !channel.WaitForStateChange(ctx, state) {
				return fmt.Errorf("no connection to %s within %s", l.target, connectTimeout)
			}
		}
	}
	return nil
}

// run makes one run, and follows it with as many others as are asked for.
func (l *runwire) run(ctx context.Context, r *run) {
	r.isTrusting = l.isTrusting
	stream, err := l.open(ctx, r.worker, runMethod, l.runRequest(r))
	if err != nil {
		r.end = time.Now()
		r.fail("%v", err)
		return
	}
	var log journal
	var following sync.WaitGroup
	err = receive(stream, func(data []byte, e *event) {
		r.received(1, len(data))
		if r.messages == 1 {
			l.follow(ctx, r, string(e.requestID), &following)
		}
		l.note(r, &log, e)
	})
	r.end = time.Now()
	if err != nil {
		r.fail("%v", err)
	}
	if !l.isTrusting {
		l.checkEnd(r, &log)
	}
	following.Wait()
	for _, f := range r.followers {
		f.compare(log.content)
	}
}

// note looks at one event of the run.
func (l *runwire) note(r *run, log *journal, e *event) {
	if e.payload == textDelta {
		if r.firstDelta.IsZero() {
			r.firstDelta = r.now
		}
		r.read(e.text)
	}
	if !l.isTrusting {
		if problem := log.add(e); problem != "" {
			r.fail("%s", problem)
		}
	}
}

// checkEnd tells whether all came that was asked for.
func (l *runwire) checkEnd(r *run, log *journal) {
	r.scanner.end()
	if !log.isOver {
		r.fail("the stream ended without completion, after event %d", log.last)
	}
	if l.asked.tokens == 0 {
		return
	}
	if r.scanner.seen != l.asked.tokens {
		r.fail("%d tokens, not %d", r.scanner.seen, l.asked.tokens)
	}
	if want := l.asked.tokens * l.asked.tokenSize(); len(log.content) != want {
		r.fail("a final message of %d bytes, not %d", len(log.content), want)
	}
}

func (l *runwire) runRequest(r *run) []byte {
	var session string
	if l.session != "" {
		session = fmt.Sprintf("%s-%d", l.session, r.worker)
	}
	var options []byte
	if l.isDetached {
		options = encoded(field{number: 15, value: 1})
	}
	return encoded(
		stringField(1, l.app),
		stringField(2, fmt.Sprintf("u%d", r.worker%l.users)),
		stringField(3, session),
		stringField(5, l.agent),
		field{number: 6, bytes: encoded(stringField(2, l.message))},
		field{number: 10, bytes: options},
	)
}

// open calls a method on the channel that is the index's.
func (l *runwire) open(ctx context.Context, index int, method string, request []byte) (grpc.ClientStream, error) {
	channel := l.channels[index%len(l.channels)]
	stream, err := channel.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	if err != nil {
		return nil, err
	}
	// What is wrong with the call is told by the first RecvMsg.
	if err := stream.SendMsg(request); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return stream, stream.CloseSend()
}

// receive hands over all messages of a stream, one buffer for all of them. Nil when it ends with OK.
func receive(stream grpc.ClientStream, take func([]byte, *event)) error {
	var data []byte
	var e event
	for {
		if err := stream.RecvMsg(&data); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := e.decode(data); err != nil {
			return err
		}
		take(data, &e)
	}
}

// follower is one more stream of a run.
type follower struct {
	name     string
	log      journal
	messages int
	problem  string
}

func (f *follower) fail(format string, arguments ...any) {
	if f.problem == "" {
		f.problem = f.name + fmt.Sprintf(format, arguments...)
	}
}

// follow starts the followers of a run.
func (l *runwire) follow(ctx context.Context, r *run, requestID string, following *sync.WaitGroup) {
	for number := range l.followers {
		f := &follower{name: fmt.Sprintf("run %d, follower %d: ", r.number, number)}
		r.followers = append(r.followers, f)
		following.Go(func() { l.attach(ctx, r, f, requestID, r.worker+1+number) })
	}
}

func (l *runwire) attach(ctx context.Context, r *run, f *follower, requestID string, channel int) {
	stream, err := l.open(ctx, channel, attachMethod, encoded(stringField(1, l.app), stringField(2, requestID)))
	if err != nil {
		f.fail("%v", err)
		return
	}
	err = receive(stream, func(_ []byte, e *event) {
		if f.messages++; f.messages == 1 {
			r.hasEvent()
		}
		if problem := f.log.add(e); problem != "" && !l.isTrusting {
			f.fail("%s", problem)
		}
	})
	if err != nil {
		f.fail("%v", err)
	}
	if !f.log.isOver && !l.isTrusting {
		f.fail("the stream ended without completion, after event %d", f.log.last)
	}
}

// compare holds the follower's last message to that of the run.
func (f *follower) compare(content []byte) {
	if !bytes.Equal(f.log.content, content) {
		f.fail("its final message has %d bytes, the run's %d", len(f.log.content), len(content))
	}
}
