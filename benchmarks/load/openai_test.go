// The model server does what the messages of a request say.

package main

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestTheLastUserMessageWithSettingsCounts(t *testing.T) {
	const tools = `"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":` +
		`{"a":{"type":"string"},"b":{"type":"integer"}},"required":["a","b"]}}}]`
	const call = `{"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","content":"bench tokens=9"}`
	for body, want := range map[string]string{
		`{"messages":[{"role":"user","content":"bench tokens=3"},{"role":"user","content":"and?"}]}`:                             "text",
		`{"messages":[{"role":"user","content":[{"type":"text","text":"bench tokens=3 rounds=0"}]}]}`:                            "text",
		`{"messages":[{"role":"user","content":"bench tokens=3 rounds=2"},` + call + `],` + tools + `}`:                          `{"a":"x"}`,
		`{"messages":[{"role":"user","content":"bench tokens=3 rounds=1"},` + call + `],` + tools + `}`:                          "text",
		`{"messages":[` + call + `,{"role":"user","content":"bench tokens=3 rounds=1"}],` + tools + `}`:                          `{"a":"x"}`,
		`{"messages":[{"role":"user","content":"bench tokens=3 rounds=1"}],"tools":[{"function":{"name":"f","parameters":{}}}]}`: `{}`,
		`{"messages":[{"role":"user","content":"bench tokens=3 rounds=1"}]}`:                                                     "error",
		`{"messages":[{"role":"system","content":"bench tokens=3"}]}`:                                                            "error",
	} {
		got := "error"
		if made, err := newAnswer([]byte(body)); err == nil {
			if got = "text"; made.tool != nil {
				got = made.tool.arguments
			}
			if made.tokens != 3 {
				t.Errorf("%s: %d tokens", body, made.tokens)
			}
		}
		if got != want {
			t.Errorf("%s: %s, not %s", body, got, want)
		}
	}
}

func TestAStreamIsWhatOpenAISends(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go serveModel(listener)
	body := `{"model":"bench","stream":true,"stream_options":{"include_usage":true},` +
		`"messages":[{"role":"user","content":"bench tokens=3"}]}`

	for range 2 { // the connection is kept
		response, err := http.Post("http://"+listener.Addr().String()+"/any/v1/chat/completions", "application/json",
			strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		lines := bufio.NewScanner(response.Body)
		for lines.Scan() {
			kinds = append(kinds, kindOf(lines.Text()))
		}
		response.Body.Close()
		want := "role,,token,,token,,token,,finish,,usage,,done,"
		if got := strings.Join(kinds, ","); got != want || response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", response.Status, got)
		}
	}
}

func kindOf(line string) string {
	for part, kind := range map[string]string{
		`"role":"assistant"`: "role", `"delta":{"content":"00`: "token", `"finish_reason":"stop"`: "finish",
		`"choices":[],"usage":{"prompt`: "usage", "[DONE]": "done",
	} {
		if strings.Contains(line, part) {
			return kind
		}
	}
	return line
}

func TestAValueIsFoundByItsPath(t *testing.T) {
	for path, want := range map[string]string{"id": "a", "inner.n": "12", "inner": "", "none.n": ""} {
		if got, _ := valueAt([]byte(`{"id":"a","inner":{"n":12}}`), path); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
}
