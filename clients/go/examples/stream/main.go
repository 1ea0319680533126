// Stream an answer. `make serve` runs a server; then: go run ./examples/stream [-target HOST:PORT] [QUESTION]
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	runwire "example.com/runwire/clients/go"
	runwirev1 "example.com/runwire/clients/go/runwire/v1"
)

func main() {
	target := flag.String("target", "127.0.0.1:50051", "where the server listens")
	flag.Parse()
	// Ctrl-C ends the reading; the server cancels a run that nobody follows any more.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := stream(ctx, *target, cmp.Or(flag.Arg(0), "What is 25*4?")); err != nil {
		log.Fatal(err)
	}
}

func stream(ctx context.Context, target, question string) error {
	client, err := runwire.NewClient(target)
	if err != nil {
		return err
	}
	defer client.Close()
	run := client.Run(&runwirev1.RunRequest{
		UserId: "u", Message: &runwirev1.Message{Content: question},
	})
	for piece, err := range run.Deltas(ctx) {
		if err != nil {
			return err
		}
		fmt.Print(piece)
	}
	fmt.Println()
	// Deltas end when the run does, however that was. Who reads it again is told.
	_, err = run.Text(ctx)
	return err
}
