package main

import "errors"

func sseCommand([]string) error { return errors.New("not yet") }
