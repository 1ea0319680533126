// Command trpc-agent-go serves the Go framework's own Runner over plain HTTP with server-sent events: what it costs
// in process, and the cheapest transport.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"

	"trpc.group/trpc-go/trpc-agent-go/agent/llmagent"
	"trpc.group/trpc-go/trpc-agent-go/log"
	"trpc.group/trpc-go/trpc-agent-go/model"
	"trpc.group/trpc-go/trpc-agent-go/model/openai"
	"trpc.group/trpc-go/trpc-agent-go/runner"
	"trpc.group/trpc-go/trpc-agent-go/session/inmemory"
	"trpc.group/trpc-go/trpc-agent-go/tool"
	"trpc.group/trpc-go/trpc-agent-go/tool/function"
)

type question struct {
	Message   string `json:"message"`
	UserID    string `json:"user_id"`
	SessionID string `json:"session_id"`
}

type text struct {
	Text string `json:"text"`
}

type delta struct {
	Delta string `json:"delta"`
}

func main() {
	port := flag.Int("port", 0, "where to listen, on 127.0.0.1")
	flag.Parse()
	log.SetLevel(log.LevelWarn)

	run := newRunner(os.Getenv("MODEL_URL"))
	http.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("POST /chat", func(w http.ResponseWriter, r *http.Request) { chat(w, r, run) })
	if err := http.ListenAndServe(fmt.Sprintf("127.0.0.1:%d", *port), nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func newRunner(modelURL string) runner.Runner {
	shout := function.NewFunctionTool(
		func(_ context.Context, said text) (text, error) { return text{strings.ToUpper(said.Text)}, nil },
		function.WithName("shout"),
		function.WithDescription("Make a text upper case."),
	)
	bench := llmagent.New("bench",
		llmagent.WithModel(openai.New("bench", openai.WithBaseURL(modelURL), openai.WithAPIKey("bench"))),
		llmagent.WithGenerationConfig(model.GenerationConfig{Stream: true}),
		llmagent.WithTools([]tool.Tool{shout}),
	)
	return runner.NewRunner("bench", bench, runner.WithSessionService(inmemory.NewSessionService()))
}

// chat answers with one data line for each piece of text, in a new session if the client names none.
func chat(w http.ResponseWriter, r *http.Request, run runner.Runner) {
	asked := question{UserID: "user", SessionID: rand.Text()}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	events, err := run.Run(r.Context(), asked.UserID, asked.SessionID, model.NewUserMessage(asked.Message))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	flusher := http.NewResponseController(w)
	for event := range events {
		if event.Response == nil || len(event.Choices) == 0 || event.Choices[0].Delta.Content == "" {
			continue
		}
		line, err := json.Marshal(delta{event.Choices[0].Delta.Content})
		if err != nil {
			continue
		}
		fmt.Fprintf(w, "data: %s\n\n", line)
		_ = flusher.Flush()
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}
