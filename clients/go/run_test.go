package runwire

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	runwirev1 "example.com/runwire/clients/go/runwire/v1"
)

func TestTextGrowsByCodePoints(t *testing.T) {
	type piece struct {
		offset  int
		text    string
		isWhole bool
		fresh   string
	}
	for name, pieces := range map[string][]piece{
		"pieces":               {{0, "🦊é", false, "🦊é"}, {2, "a", false, "a"}},
		"again from the start": {{0, "🦊", false, "🦊"}, {0, "🦊é", false, "é"}},
		"known already":        {{0, "🦊é", false, "🦊é"}, {1, "é", false, ""}, {2, "!", false, "!"}},
		"the whole":            {{0, "🦊", false, "🦊"}, {0, "🦊é!", true, "é!"}},
		"only the whole":       {{0, "🦊é", true, "🦊é"}},
		"written anew":         {{0, "old", false, "old"}, {0, "new", false, ""}, {3, "!", false, ""}, {0, "new!", true, ""}},
		"cut short":            {{0, "long", false, "long"}, {0, "lo", true, ""}},
		"a gap":                {{2, "b", false, ""}, {3, "c", false, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			var known []rune
			for _, piece := range pieces {
				var fresh string

				known, fresh = grow(known, piece.offset, []rune(piece.text), piece.isWhole)

				if fresh != piece.fresh {
					t.Errorf("after %+v: %q is new", piece, fresh)
				}
			}
		})
	}
}

func TestAMessageIsNewOnce(t *testing.T) {
	run, open := &Run{}, map[string][]rune{}
	delta := &runwirev1.Event{Sequence: 4, Partial: true, Payload: &runwirev1.Event_ReasoningDelta{
		ReasoningDelta: &runwirev1.ReasoningDelta{MessageId: "m", Text: "hm"},
	}}
	whole := &runwirev1.Event{Sequence: 5, Payload: &runwirev1.Event_Message{Message: &runwirev1.MessageEvent{
		MessageId: "m", Message: &runwirev1.Message{Role: assistant, Content: "yes"},
	}}}

	first, second := run.steps(delta, open), run.steps(whole, open)

	if len(first) != 1 || !first[0].isNew || first[0].fresh != "" || first[0].after != 3 {
		t.Errorf("began with %+v", first)
	}
	if len(second) != 1 || second[0].isNew || second[0].fresh != "yes" || second[0].whole == nil || len(open) != 0 {
		t.Errorf("ended with %+v", second)
	}
}

func TestAStatusIsACallError(t *testing.T) {
	refused, err := status.New(codes.InvalidArgument, "no").WithDetails(
		&errdetails.ErrorInfo{Reason: "FIELD_INVALID"},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "user_id", Description: "is empty"}}},
	)
	if err != nil {
		t.Fatal(err)
	}

	var call *CallError
	if !errors.As(Translate(refused.Err()), &call) || call.Code() != codes.InvalidArgument || call.Reason != "FIELD_INVALID" {
		t.Errorf("%v", call)
	}
	if len(call.Violations) != 1 || call.Violations[0].Field != "user_id" {
		t.Errorf("%v", call.Violations)
	}
	if status.Code(Translate(call)) != codes.InvalidArgument {
		t.Error("the status is gone")
	}
	if cancelled := Translate(status.FromContextError(context.Canceled).Err()); !errors.Is(cancelled, context.Canceled) {
		t.Errorf("%v", cancelled)
	}
	if errors.Is(call, context.Canceled) || errors.Is(Translate(status.Error(codes.Unknown, "")), errors.ErrUnsupported) {
		t.Error("is another error, too")
	}
}
