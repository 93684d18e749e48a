// Command consul is HashiCorp's Consul, built from its published Go modules, so that the contract suite can compare
// Upsync's embedded registry with the real thing on machines where no package offers a consul binary.
package main

import (
	"fmt"
	"io"
	"log"
	"os"

	"github.com/hashicorp/consul/command"
	consulcli "github.com/hashicorp/consul/command/cli"
	"github.com/mitchellh/cli"
)

func main() {
	// Libraries inside Consul write to the standard logger before the agent has set up its own.
	log.SetOutput(io.Discard)
	output := &consulcli.BasicUI{BasicUi: cli.BasicUi{Writer: os.Stdout, ErrorWriter: os.Stderr}}
	program := cli.NewCLI("consul", "")
	program.Args = os.Args[1:]
	program.Commands = command.RegisteredCommands(output)
	program.HelpWriter = os.Stdout
	program.ErrorWriter = os.Stderr
	if program.IsVersion() {
		program.Args = []string{"version"}
	}
	status, err := program.Run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}
