// The driver of the Go client: see tests/clients/README.md.
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/proto"

	runwire "example.com/runwire/clients/go"
	runwirev1 "example.com/runwire/clients/go/runwire/v1"
)

// command is one line of the input. Protobuf messages are base64 of their binary form, which is JSON's form of bytes.
type command struct {
	Op          string   `json:"op"`
	Target      string   `json:"target"`
	Request     []byte   `json:"request"`
	Read        string   `json:"read"`
	Readers     int      `json:"readers"`
	CancelAfter *int     `json:"cancel_after"`
	DeadlineMs  int      `json:"deadline_ms"`
	UserID      string   `json:"user_id"`
	SessionID   string   `json:"session_id"`
	Messages    []string `json:"messages"`
	Channels    []string `json:"channels"`
}

// fields is one object of the output.
type fields map[string]any

var writing sync.Mutex

func main() {
	clients := map[string]*runwire.Client{}
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			write(fields{"done": do(clients, line)})
		}
		if err != nil {
			return
		}
	}
}

func do(clients map[string]*runwire.Client, line []byte) fields {
	var asked command
	if err := json.Unmarshal(line, &asked); err != nil {
		return failure(context.Background(), err)
	}
	client := clients[asked.Target]
	if client == nil {
		made, err := runwire.NewClient(asked.Target)
		if err != nil {
			return failure(context.Background(), err)
		}
		client, clients[asked.Target] = made, made
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done, err := answer(ctx, cancel, client, asked)
	if err != nil {
		return failure(ctx, err)
	}
	return done
}

func answer(ctx context.Context, cancel func(), client *runwire.Client, asked command) (fields, error) {
	switch asked.Op {
	case "run":
		request, err := parsed(asked.Request, &runwirev1.RunRequest{})
		if err != nil {
			return nil, err
		}
		run := client.Run(request)
		run.Timeout = time.Duration(asked.DeadlineMs) * time.Millisecond
		return readAll(ctx, cancel, run, asked)
	case "attach":
		request, err := parsed(asked.Request, &runwirev1.AttachRequest{})
		if err != nil {
			return nil, err
		}
		return readAll(ctx, cancel, client.Attach(request), asked)
	case "chat":
		conversation := client.Conversation(asked.UserID, asked.SessionID)
		texts := []string{}
		for _, message := range asked.Messages {
			text, err := conversation.Chat(ctx, say(message))
			if err != nil {
				return nil, err
			}
			texts = append(texts, text)
		}
		return fields{"texts": texts, "session_id": conversation.SessionID()}, nil
	case "subscribe":
		return fields{}, subscribe(ctx, client.Conversation(asked.UserID, asked.SessionID), asked)
	case "cancel":
		request, err := parsed(asked.Request, &runwirev1.CancelRequest{})
		if err != nil {
			return nil, err
		}
		response, err := client.Runner.Cancel(ctx, request)
		return fields{"changed": response.GetChanged()}, err
	case "get_session":
		request, err := parsed(asked.Request, &runwirev1.GetSessionRequest{})
		if err != nil {
			return nil, err
		}
		response, err := client.Sessions.GetSession(ctx, request)
		return fields{"event_count": response.GetSession().GetEventCount()}, err
	}
	return nil, fmt.Errorf("no such op: %q", asked.Op)
}

func subscribe(ctx context.Context, conversation *runwire.Conversation, asked command) error {
	var channels []runwirev1.Channel
	for _, name := range asked.Channels {
		channels = append(channels, runwirev1.Channel(runwirev1.Channel_value["CHANNEL_"+strings.ToUpper(name)]))
	}
	events := conversation.Subscribe(ctx, channels...)
	for _, message := range asked.Messages {
		if _, err := conversation.Send(ctx, say(message)); err != nil {
			return err
		}
	}
	ended := 0
	for event, err := range events {
		if err != nil {
			return err
		}
		write(fields{"event": binary(event)})
		if event.GetCompletion() != nil {
			ended++
		}
		if ended == len(asked.Messages) {
			return nil
		}
	}
	return nil
}

// readAll reads a run as often as it shall be, at the same time.
func readAll(ctx context.Context, cancel func(), run *runwire.Run, asked command) (fields, error) {
	reader := &reader{run: run, cancelAfter: -1, cancel: cancel}
	if asked.CancelAfter != nil {
		reader.cancelAfter = *asked.CancelAfter
	}
	reader.cancelIfDue()
	count := max(asked.Readers, 1)
	dones, errs := make([]fields, count), make([]error, count)
	var reading sync.WaitGroup
	for index := range count {
		reading.Go(func() {
			show := reader.show
			if asked.Readers > 0 {
				show = func(item fields) {
					item["reader"] = index
					reader.show(item)
				}
			}
			dones[index], errs[index] = reader.read(ctx, asked.Read, show)
		})
	}
	reading.Wait()
	return dones[0], cmp.Or(errs...)
}

type reader struct {
	run         *runwire.Run
	cancel      func()
	cancelAfter int

	lock  sync.Mutex
	shown int
}

func (r *reader) show(item fields) {
	write(item)
	r.lock.Lock()
	r.shown++
	r.lock.Unlock()
	r.cancelIfDue()
}

func (r *reader) cancelIfDue() {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.shown == r.cancelAfter {
		r.cancel()
	}
}

func (r *reader) read(ctx context.Context, how string, show func(fields)) (fields, error) {
	switch how {
	case "events":
		for event, err := range r.run.Events(ctx) {
			if err != nil {
				return nil, err
			}
			show(fields{"event": binary(event)})
		}
	case "deltas":
		for piece, err := range r.run.Deltas(ctx) {
			if err != nil {
				return nil, err
			}
			show(fields{"piece": piece})
		}
	case "text":
		text, err := r.run.Text(ctx)
		return fields{"text": text}, err
	case "messages":
		for message, err := range r.run.Messages(ctx) {
			if err != nil {
				return nil, err
			}
			show(fields{"message": binary(message)})
		}
	case "message_streams":
		for stream, err := range r.run.MessageStreams(ctx) {
			if err != nil {
				return nil, err
			}
			item, err := whole(ctx, stream)
			if err != nil {
				return nil, err
			}
			show(item)
		}
	case "message_streams_late":
		return fields{}, r.readLate(ctx, show)
	default:
		return nil, fmt.Errorf("no such way to read: %q", how)
	}
	return fields{}, nil
}

func (r *reader) readLate(ctx context.Context, show func(fields)) error {
	var streams []*runwire.MessageStream
	for stream, err := range r.run.MessageStreams(ctx) {
		if err != nil {
			return err
		}
		streams = append(streams, stream)
	}
	for _, stream := range streams {
		if _, err := whole(ctx, stream); err != nil {
			return err
		}
		item, err := whole(ctx, stream)
		if err != nil {
			return err
		}
		show(item)
	}
	return nil
}

func whole(ctx context.Context, stream *runwire.MessageStream) (fields, error) {
	pieces := []string{}
	for piece, err := range stream.Pieces(ctx) {
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, piece)
	}
	message, err := stream.Message(ctx)
	if err != nil {
		return nil, err
	}
	return fields{"stream": fields{"message_id": stream.ID, "pieces": pieces, "message": binary(message)}}, nil
}

func failure(ctx context.Context, err error) fields {
	var call *runwire.CallError
	var ended *runwire.RunEndedError
	shown := fields{"kind": "bug", "message": err.Error()}
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		shown = fields{"kind": "cancelled"}
	case errors.As(err, &call):
		wrong := []string{}
		for _, violation := range call.Violations {
			wrong = append(wrong, violation.Field)
		}
		shown = fields{"kind": "call", "code": code.Code(call.Code()).String(), "reason": call.Reason, "fields": wrong}
	case errors.As(err, &ended):
		outcome := strings.TrimPrefix(ended.Completion.Outcome.String(), "OUTCOME_")
		shown = fields{"kind": "ended", "outcome": outcome, "stop_reason": ended.Completion.StopReason}
	}
	return fields{"error": shown}
}

func say(text string) *runwirev1.RunRequest {
	return &runwirev1.RunRequest{Message: &runwirev1.Message{Content: text}}
}

func parsed[M proto.Message](wire []byte, into M) (M, error) {
	return into, proto.Unmarshal(wire, into)
}

func binary(message proto.Message) []byte {
	wire, err := proto.Marshal(message)
	if err != nil {
		panic(err)
	}
	return wire
}

func write(item fields) {
	line, err := json.Marshal(item)
	if err != nil {
		panic(err)
	}
	writing.Lock()
	defer writing.Unlock()
	if _, err := os.Stdout.Write(append(line, '\n')); err != nil {
		os.Exit(1)
	}
}
