// A run's log is read from its bytes, and what is wrong with it is noticed.

package main

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func number(of protowire.Number, value uint64) field { return field{number: of, value: value} }

func part(of protowire.Number, fields ...field) field {
	return field{number: of, bytes: encoded(fields...)}
}

func text(of protowire.Number, value string) field { return stringField(of, value) }

// response makes a RunResponse.
func response(fields ...field) []byte { return encoded(part(1, fields...)) }

func delta(sequence, offset uint64, says string) []byte {
	return response(text(1, "r"), number(2, sequence), number(6, 1),
		part(7, text(1, "m"), text(2, says), number(3, offset)))
}

func whole(sequence uint64, says string) []byte {
	return response(number(2, sequence), part(10, text(1, "m"), part(2, number(1, roleAssistant), text(2, says))))
}

func ended(sequence, outcome uint64) []byte {
	return response(number(2, sequence), part(17, number(1, outcome), text(2, "error"), part(3, text(3, "WHY"))))
}

func started() []byte { return response(number(2, 1), part(16, number(4, 1))) }

func TestALogIsChecked(t *testing.T) {
	caught := response(number(2, 1), part(27, number(1, 1)))
	for want, events := range map[string][][]byte{
		"":                                  {started(), caught, delta(1, 0, "ä b"), delta(1, 3, " c"), whole(2, "ä b c"), ended(3, 1)},
		"sequence 3, not 2":                 {started(), whole(3, "")},
		"sequence 2, not 1":                 {started(), delta(2, 0, "a")},
		"delta at 3, not 2":                 {started(), delta(1, 0, "ab"), delta(1, 3, "c")},
		"message 2 differs from its deltas": {started(), delta(1, 0, "ab"), whole(2, "abc")},
		"outcome 2: error: WHY":             {started(), ended(2, 2)},
		"event 3 after completion":          {started(), ended(2, 1), whole(3, "")},
		"told to reconnect":                 {started(), response(number(2, 1), part(28, number(1, 1)))},
	} {
		var log journal
		var e event
		got := ""
		for _, data := range events {
			if err := e.decode(data); err != nil {
				t.Fatal(err)
			}
			if problem := log.add(&e); problem != "" {
				got = problem
			}
		}
		if !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func TestADeltaMayReplaceWhatCameBefore(t *testing.T) {
	var log journal
	var e event
	for _, data := range [][]byte{started(), delta(1, 0, "ab"), delta(1, 0, "abc"), whole(2, "abc")} {
		if err := e.decode(data); err != nil {
			t.Fatal(err)
		}
		if problem := log.add(&e); problem != "" {
			t.Error(problem)
		}
	}
	if string(log.content) != "abc" {
		t.Error(string(log.content))
	}
}

func TestBytesThatAreNoEventAreAnError(t *testing.T) {
	var e event
	if e.decode([]byte{0x0a, 0x7f, 1}) == nil {
		t.Error("no error")
	}
}
