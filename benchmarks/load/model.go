// The model server: HTTP/1.1 on bare connections, one goroutine and one write a chunk.

package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"
)

const modelList = `{"object":"list","data":[{"id":"bench","object":"model","created":1700000000,"owned_by":"bench"}]}`

func modelCommand(arguments []string) error {
	flags := flag.NewFlagSet("load model", flag.ContinueOnError)
	port := flags.Int("port", 0, "where to listen on 127.0.0.1; 0: any free port")
	if err := parse(flags, arguments); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		return err
	}
	// One thread writes 200,000 chunks a second, and what two of them say to each other costs a tenth.
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
	fmt.Printf("listening %s\n", listener.Addr())
	return serveModel(listener)
}

// serveModel answers until the listener is closed.
func serveModel(listener net.Listener) error {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go serveConnection(connection)
	}
}

// serveConnection answers one request after another until either side has enough.
func serveConnection(connection net.Conn) {
	defer connection.Close()
	reader := bufio.NewReader(connection)
	for {
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		if strings.EqualFold(request.Header.Get("Expect"), "100-continue") {
			if _, err := io.WriteString(connection, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
				return
			}
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		if err := serveRequest(connection, request, body); err != nil || request.Close {
			return
		}
	}
}

func serveRequest(connection net.Conn, request *http.Request, body []byte) error {
	path := request.URL.Path
	switch {
	case request.Method == http.MethodPost && strings.HasSuffix(path, "/chat/completions"):
		answer, err := newAnswer(body)
		if err != nil {
			return writeError(connection, http.StatusBadRequest, err.Error())
		}
		if answer.isStream {
			return answer.stream(connection)
		}
		return answer.whole(connection)
	case request.Method == http.MethodGet && strings.HasSuffix(path, "/models"):
		return writeJSON(connection, http.StatusOK, modelList)
	case request.Method == http.MethodGet && path == "/health":
		return writeJSON(connection, http.StatusOK, `{"status":"ok"}`)
	default:
		return writeError(connection, http.StatusNotFound, "no "+request.Method+" "+path)
	}
}

func writeError(connection net.Conn, status int, message string) error {
	body := fmt.Sprintf(`{"error":{"message":%s,"type":"invalid_request_error","param":null,"code":null}}`, quoted(message))
	return writeJSON(connection, status, body)
}

func writeJSON(connection net.Conn, status int, body string) error {
	_, err := fmt.Fprintf(connection, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		status, http.StatusText(status), len(body), body)
	return err
}

const streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n" +
	"Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"

// stream writes the answer as it is due, each chunk at once.
func (a *answer) stream(connection net.Conn) error {
	time.Sleep(a.wait)
	start := time.Now()
	frame := append([]byte(streamHead), a.opening()...)
	if _, err := connection.Write(frame); err != nil {
		return err
	}
	if a.tool == nil {
		if err := a.streamTokens(connection, start); err != nil {
			return err
		}
	}
	for _, chunk := range a.closing() {
		if _, err := connection.Write(chunk); err != nil {
			return err
		}
	}
	return nil
}

// streamTokens writes the same chunk again and again: only the ten bytes that differ are made anew.
func (a *answer) streamTokens(connection net.Conn, start time.Time) error {
	chunk, at := a.tokenChunk()
	for k := range a.tokens {
		if a.rate > 0 {
			// Behind its time, it does not sleep: the next ones catch up.
			time.Sleep(time.Until(a.due(start, k)))
		}
		putToken(chunk[at:], k, time.Now())
		if _, err := connection.Write(chunk); err != nil {
			return err
		}
	}
	return nil
}

// whole writes the answer when its last token is due.
func (a *answer) whole(connection net.Conn) error {
	time.Sleep(a.wait)
	if a.tool == nil && a.rate > 0 && a.tokens > 0 {
		time.Sleep(time.Until(a.due(time.Now(), a.tokens-1)))
	}
	return writeJSON(connection, http.StatusOK, a.completion(time.Now()))
}
