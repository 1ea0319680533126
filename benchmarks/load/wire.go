// The few protobuf messages and fields that the load needs, read and written by hand.

package main

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// Payloads of an event, by their field numbers in event.proto.
const (
	textDelta  protowire.Number = 7
	message    protowire.Number = 10
	heartbeat  protowire.Number = 15
	completion protowire.Number = 17
	caughtUp   protowire.Number = 27
	reconnect  protowire.Number = 28
)

const (
	roleAssistant    = 2
	outcomeCompleted = 1
)

// event is what was read of an Event. Its byte slices are parts of the message it was read from.
type event struct {
	requestID []byte
	sequence  int64
	isPartial bool
	payload   protowire.Number
	messageID []byte // of text_delta and message
	text      []byte // of text_delta; of message: its content
	offset    int64
	role      int64
	outcome   int64
	reason    []byte // of completion: stop_reason, or what its error says
}

// isStreamOnly tells of events that are neither stored nor deltas.
func (e *event) isStreamOnly() bool {
	return e.payload == heartbeat || e.payload == caughtUp || e.payload == reconnect
}

// field is one field of a message: a number or bytes.
type field struct {
	number protowire.Number
	value  uint64
	bytes  []byte
}

// next reads one field and gives what follows it. Fields of a fixed size are passed over.
func next(data []byte) (field, []byte, error) {
	number, kind, size := protowire.ConsumeTag(data)
	if size < 0 {
		return field{}, nil, protowire.ParseError(size)
	}
	data = data[size:]
	found := field{number: number}
	switch kind {
	case protowire.VarintType:
		found.value, size = protowire.ConsumeVarint(data)
	case protowire.BytesType:
		found.bytes, size = protowire.ConsumeBytes(data)
	default:
		size = protowire.ConsumeFieldValue(number, kind, data)
	}
	if size < 0 {
		return field{}, nil, protowire.ParseError(size)
	}
	return found, data[size:], nil
}

// each calls read with the fields of a message.
func each(data []byte, read func(field) error) error {
	for len(data) > 0 {
		found, rest, err := next(data)
		if err != nil {
			return err
		}
		if err := read(found); err != nil {
			return err
		}
		data = rest
	}
	return nil
}

// decode reads a RunResponse or an AttachResponse.
func (e *event) decode(data []byte) error {
	*e = event{}
	return each(data, func(f field) error {
		if f.number == 1 {
			return each(f.bytes, e.field)
		}
		return nil
	})
}

// field reads one field of Event.
func (e *event) field(f field) error {
	switch f.number {
	case 1:
		e.requestID = f.bytes
	case 2:
		e.sequence = int64(f.value)
	case 6:
		e.isPartial = f.value != 0
	case textDelta:
		e.payload = f.number
		return each(f.bytes, e.textDeltaField)
	case message:
		e.payload = f.number
		return each(f.bytes, e.messageField)
	case completion:
		e.payload = f.number
		return each(f.bytes, e.completionField)
	default:
		if f.number > 6 && f.number < 40 {
			e.payload = f.number
		}
	}
	return nil
}

func (e *event) textDeltaField(f field) error {
	switch f.number {
	case 1:
		e.messageID = f.bytes
	case 2:
		e.text = f.bytes
	case 3:
		e.offset = int64(f.value)
	}
	return nil
}

func (e *event) messageField(f field) error {
	switch f.number {
	case 1:
		e.messageID = f.bytes
	case 2:
		return each(f.bytes, func(f field) error {
			switch f.number {
			case 1:
				e.role = int64(f.value)
			case 2:
				e.text = f.bytes
			}
			return nil
		})
	}
	return nil
}

func (e *event) completionField(f field) error {
	switch f.number {
	case 1:
		e.outcome = int64(f.value)
	case 2:
		e.reason = f.bytes
	case 3:
		return each(f.bytes, func(f field) error {
			if f.number == 2 || f.number == 3 { // message, code
				e.reason = fmt.Appendf(nil, "%s: %s", e.reason, f.bytes)
			}
			return nil
		})
	}
	return nil
}

// encoded makes a message of strings and, in place of a string, messages. Empty ones are left out.
func encoded(fields ...field) []byte {
	var data []byte
	for _, f := range fields {
		switch {
		case len(f.bytes) > 0:
			data = protowire.AppendTag(data, f.number, protowire.BytesType)
			data = protowire.AppendBytes(data, f.bytes)
		case f.value > 0:
			data = protowire.AppendTag(data, f.number, protowire.VarintType)
			data = protowire.AppendVarint(data, f.value)
		}
	}
	return data
}

func stringField(number protowire.Number, text string) field {
	return field{number: number, bytes: []byte(text)}
}

// rawCodec hands over the bytes of messages: []byte to send, *[]byte, which is used again, to receive.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(value any) (mem.BufferSlice, error) {
	data, ok := value.([]byte)
	if !ok {
		return nil, errors.New("only bytes can be sent")
	}
	return mem.BufferSlice{mem.SliceBuffer(data)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, value any) error {
	into, ok := value.(*[]byte)
	if !ok {
		return errors.New("only bytes can be received")
	}
	if size := data.Len(); size > cap(*into) {
		*into = make([]byte, size, 2*size)
	} else {
		*into = (*into)[:size]
	}
	data.CopyTo(*into)
	return nil
}
