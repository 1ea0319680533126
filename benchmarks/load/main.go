// Load is the model server and the load client of Runwire's benchmarks.

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

const usage = `load model    answer as an OpenAI-compatible model server
load runwire  run agents over gRPC, and tell how that went
load sse      the same over HTTP, for servers that stream their answers

load COMMAND -h has the flags.
`

func main() {
	err := command(os.Args[1:])
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
	default:
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func command(arguments []string) error {
	if len(arguments) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return errors.New("which command?")
	}
	switch name, rest := arguments[0], arguments[1:]; name {
	case "model":
		return modelCommand(rest)
	case "runwire":
		return runwireCommand(rest)
	case "sse":
		return sseCommand(rest)
	case "-h", "--help", "help":
		fmt.Print(usage)
		return nil
	default:
		return fmt.Errorf("no command %q: model, runwire or sse", name)
	}
}

// parse reads a command's flags. What is wrong with them is one error; -h prints them all.
func parse(flags *flag.FlagSet, arguments []string) error {
	flags.SetOutput(io.Discard)
	err := flags.Parse(arguments)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(os.Stdout)
		flags.Usage()
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("no argument expected: %q", flags.Arg(0))
	}
	return err
}
