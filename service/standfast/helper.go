package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"standfast/service/helper"
)

// helperCommand holds what the program starts for itself. The helpers of the service are not among it: see runHelper.
func helperCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "helper", Hidden: true, Short: "Processes that work for this program", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(doctorHelper())
	return c
}

// isHelper says that a command line is that of a process beside the service.
func isHelper(args []string) bool {
	kinds := []helper.Kind{helper.Scripts, helper.Disk, helper.Launcher}
	return len(args) > 1 && args[0] == "helper" && slices.Contains(kinds, helper.Kind(args[1]))
}

// runHelper is a process that works beside the service, started by a unit or by the service itself. It is not among the
// commands, which are for people, and whose tree would cost each helper half a megabyte for as long as it runs.
func runHelper(args []string, complaints io.Writer) int {
	h := helper.Kind(args[0])
	flags := flag.NewFlagSet("standfast helper "+args[0], flag.ContinueOnError)
	flags.SetOutput(complaints)
	o := helper.Options{Log: func(line string) { fmt.Fprintln(complaints, line) }}
	flags.StringVar(&o.RuntimeDir, "runtime-dir", "/run/standfast", "the `DIR` of the lock and the sockets")
	flags.DurationVar(&o.Linger, "linger", 0, "end after this `TIME` without a service; 0: never")
	flags.BoolVar(&o.Launched, "launched", false, "show the launcher that this helper lives")
	flags.BoolVar(&o.Unit, "unit", false, "tell systemd when somebody can reach it, and wait longer for the first service")
	switch err := flags.Parse(args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exitRefused
	case flags.NArg() > 0:
		fmt.Fprintf(complaints, "standfast: %q is too much after helper %s\n", flags.Arg(0), h)
		return exitRefused
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := helper.Run(ctx, h, o); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(complaints, "standfast:", err)
		return exitFailed
	}
	return 0
}
