// What a model server reads and writes: requests and chunks of OpenAI's chat completions.

package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

type chatRequest struct {
	Model         string
	Stream        bool
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	Messages []chatMessage
	Tools    []struct {
		Function struct {
			Name       string
			Parameters json.RawMessage
		}
	}
}

type chatMessage struct {
	Role    string
	Content json.RawMessage // a string, a list of parts, or null
}

// text is what the message says, its parts one below the other.
func (m chatMessage) text() string {
	var text string
	if json.Unmarshal(m.Content, &text) == nil {
		return text
	}
	var parts []struct{ Text string }
	if json.Unmarshal(m.Content, &parts) != nil {
		return ""
	}
	var all strings.Builder
	for _, part := range parts {
		all.WriteString(part.Text)
		all.WriteByte('\n')
	}
	return all.String()
}

// toolCall is what the model asks for in place of text.
type toolCall struct{ id, name, arguments string }

// answer is what the server says to one request.
type answer struct {
	settings
	tool         *toolCall // nil: text
	isStream     bool
	hasUsage     bool // the stream ends with a chunk that has it
	id           string
	created      int64
	model        string // as JSON
	promptTokens int
}

// newAnswer does what the last user message that has settings says.
func newAnswer(body []byte) (*answer, error) {
	var request chatRequest
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, fmt.Errorf("the request is no chat completion: %w", err)
	}
	asked, rounds, isFound := request.asked()
	if !isFound {
		return nil, errors.New("no user message says what to answer: bench tokens=500 rate=50 rounds=0 wait=0 size=0")
	}
	made := &answer{
		settings:     asked,
		isStream:     request.Stream,
		hasUsage:     request.StreamOptions.IncludeUsage,
		id:           "chatcmpl-" + rand.Text(),
		created:      time.Now().Unix(),
		model:        quoted(request.Model),
		promptTokens: len(body) / 4,
	}
	if rounds < asked.rounds {
		if len(request.Tools) == 0 {
			return nil, fmt.Errorf("rounds=%d needs tools, and the request has none", asked.rounds)
		}
		tool := request.Tools[0].Function
		made.tool = &toolCall{"call_" + rand.Text()[:24], tool.Name, toolArguments(tool.Parameters)}
	}
	return made, nil
}

// asked finds the settings, and how many tool results follow them.
func (r chatRequest) asked() (found settings, rounds int, isFound bool) {
	for _, message := range slices.Backward(r.Messages) {
		switch message.Role {
		case "tool":
			rounds++
		case "user":
			if found, isFound = parseSettings(message.text()); isFound {
				return found, rounds, true
			}
		}
	}
	return settings{}, 0, false
}

// toolArguments is the least that a schema accepts: each required string is "x".
func toolArguments(schema json.RawMessage) string {
	var parsed struct {
		Properties map[string]struct{ Type any }
		Required   []string
	}
	arguments := map[string]string{}
	if json.Unmarshal(schema, &parsed) == nil {
		for _, name := range parsed.Required {
			if parsed.Properties[name].Type == "string" {
				arguments[name] = "x"
			}
		}
	}
	text, _ := json.Marshal(arguments) // a map of strings cannot fail
	return string(text)
}

// quoted is a text as JSON.
func quoted(text string) string {
	encoded, _ := json.Marshal(text) // a string cannot fail
	return string(encoded)
}

// chunk is one event of the stream, with HTTP's length around it. All but the last have no usage.
func (a *answer) chunk(choices string) []byte { return a.chunkWithUsage(choices, "null") }

func (a *answer) chunkWithUsage(choices, usage string) []byte {
	if a.hasUsage {
		usage = `,"usage":` + usage
	} else {
		usage = ""
	}
	return framed(fmt.Sprintf(`data: {"id":"%s","object":"chat.completion.chunk","created":%d,"model":%s,"choices":%s%s}`+"\n\n",
		a.id, a.created, a.model, choices, usage))
}

func framed(data string) []byte {
	return []byte(strconv.FormatInt(int64(len(data)), 16) + "\r\n" + data + "\r\n")
}

func choice(delta, finish string) string {
	return fmt.Sprintf(`[{"index":0,"delta":%s,"finish_reason":%s}]`, delta, finish)
}

// tokenChunk is a chunk whose token is to be filled in, and where in it that is.
func (a *answer) tokenChunk() (chunk []byte, at int) {
	token := newToken(a.tokenSize())
	chunk = a.chunk(choice(`{"content":"`+string(token)+`"}`, "null"))
	return chunk, bytes.Index(chunk, token)
}

// opening is the first chunk: who speaks and, when a tool is called, which.
func (a *answer) opening() []byte {
	if a.tool == nil {
		return a.chunk(choice(`{"role":"assistant","content":"","refusal":null}`, "null"))
	}
	return a.chunk(choice(fmt.Sprintf(`{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"%s",`+
		`"type":"function","function":{"name":%s,"arguments":""}}],"refusal":null}`, a.tool.id, quoted(a.tool.name)), "null"))
}

// closing is what follows the tokens: the call's arguments, why it ends, the usage if asked, and the end.
func (a *answer) closing() [][]byte {
	var chunks [][]byte
	if a.tool != nil {
		chunks = append(chunks, a.chunk(choice(fmt.Sprintf(`{"tool_calls":[{"index":0,"function":{"arguments":%s}}]}`,
			quoted(a.tool.arguments)), "null")))
	}
	chunks = append(chunks, a.chunk(choice("{}", quoted(a.finishReason()))))
	if a.hasUsage {
		chunks = append(chunks, a.chunkWithUsage("[]", a.usage()))
	}
	return append(chunks, append(framed("data: [DONE]\n\n"), "0\r\n\r\n"...))
}

func (a *answer) finishReason() string {
	if a.tool != nil {
		return "tool_calls"
	}
	return "stop"
}

func (a *answer) usage() string {
	written := a.tokens
	if a.tool != nil {
		written = 10
	}
	return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,`+
		`"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},`+
		`"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,`+
		`"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`,
		a.promptTokens, written, a.promptTokens+written)
}

// completion is the answer as a whole, sent at now.
func (a *answer) completion(now time.Time) string {
	var message string
	if a.tool != nil {
		message = fmt.Sprintf(`"content":null,"tool_calls":[{"id":"%s","type":"function",`+
			`"function":{"name":%s,"arguments":%s}}]`, a.tool.id, quoted(a.tool.name), quoted(a.tool.arguments))
	} else {
		token, text := newToken(a.tokenSize()), []byte{}
		for k := range a.tokens {
			putToken(token, k, now)
			text = append(text, token...)
		}
		message = `"content":"` + string(text) + `"`
	}
	return fmt.Sprintf(`{"id":"%s","object":"chat.completion","created":%d,"model":%s,"choices":[{"index":0,`+
		`"message":{"role":"assistant",%s,"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"%s"}],`+
		`"usage":%s,"service_tier":"default","system_fingerprint":"fp_bench"}`,
		a.id, a.created, a.model, message, a.finishReason(), a.usage())
}
