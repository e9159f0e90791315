// Command standfast is a VRRP daemon, a drop-in for keepalived's VRRP half.
//
// It only puts the parts together: what a subcommand does is in package service
// and what a configuration means in package configfs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"standfast/configfs"
	"standfast/service"
)

// version names this program to its operator.
const version = "0.1.0"

// The exit statuses beside 0. Each subcommand says in its help what they mean.
const (
	exitFailed     = 1 // also: hazards only, or a router that is not well
	exitRefused    = 2 // a configuration with errors, or a command line that is none
	exitNotRunning = 3
)

// exit is an exit status for which everything has been said.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run executes one command line and returns the exit status.
func run(args []string, out, complaints io.Writer) int {
	if isHelper(args) {
		return runHelper(args[1:], complaints)
	}
	root := command()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(complaints)
	err := root.ExecuteContext(context.Background())
	if status := exit(0); errors.As(err, &status) {
		return int(status)
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(complaints, "standfast:", err)
	var refused *service.ConfigError
	switch {
	case errors.As(err, &refused), errors.As(err, new(usageError)):
		return exitRefused
	case errors.Is(err, service.ErrNotRunning):
		return exitNotRunning
	}
	return exitFailed
}

// usageError is a command line that makes no sense.
type usageError struct{ error }

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "standfast",
		Short:         "VRRP that finds out whether the peer died or the port failed",
		Args:          usage(cobra.NoArgs),
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, c.CommandPath())}
	})
	root.AddCommand(runCommand(), checkCommand(), statusCommand(), whyCommand(), reloadCommand(), doctorCommand(), migrateCommand(), versionCommand(), helperCommand())
	return root
}

func runCommand() *cobra.Command {
	o := service.Options{Version: version}
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the service",
		Long: "Run the service in the foreground until SIGTERM; SIGHUP reloads the configuration, as \"standfast reload\" does.\n" +
			"Exit status: 0 after an orderly stop, 2 when the configuration has errors, 1 for anything else.",
		Args: usage(cobra.NoArgs),
	}
	file := c.Flags().StringP("file", "f", "/etc/standfast/standfast.conf", "the configuration `FILE`")
	level := c.Flags().String("log-level", "info", "the least severe lines to write: debug, info, warn or error")
	runtimeDirFlag(c, &o.RuntimeDir)
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		if err := o.Level.UnmarshalText([]byte(*level)); err != nil {
			return usageError{fmt.Errorf("--log-level: %w", err)}
		}
		if o.File, err = filepath.Abs(*file); err != nil {
			return err
		}
		return service.Run(c.Context(), o)
	}
	return c
}

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Complain about everything that is wrong with a configuration",
		Long: "Complain about everything that is wrong with a configuration, as file:line:column, a sentence and a hint.\n" +
			"Exit status: 0 clean, 1 hazards only, 2 errors, with which it would not run.",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			file, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			_, complaints := configfs.Load(os.DirFS("/"), file)
			fmt.Fprint(c.OutOrStdout(), complaints)
			switch worst, _ := complaints.Worst(); worst {
			case configfs.Error:
				return exit(exitRefused)
			case configfs.Hazard:
				return exit(exitFailed)
			case configfs.Note:
			}
			return nil
		},
	}
}

func statusCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show how the running service is",
		Long: "Show how the running service is.\n" +
			"Exit status: 0 serving or standing by, 1 in FAULT, contested or degraded, 3 not running.",
		Args: usage(cobra.NoArgs),
	}
	var dir string
	runtimeDirFlag(c, &dir)
	asJSON := c.Flags().Bool("json", false, "print the whole document as JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		healthy, err := service.PrintStatus(c.Context(), c.OutOrStdout(), dir, version, *asJSON)
		if err == nil && !healthy {
			return exit(exitFailed)
		}
		return err
	}
	return c
}

func whyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "why [INSTANCE]",
		Short: "Explain the present state and the last transitions: rule and evidence",
		Long: "Explain the present state and the last transitions of every instance, or of one: rule and evidence.\n" +
			"Exit status: 0 explained, 3 not running, 1 for anything else.",
		Args: usage(cobra.MaximumNArgs(1)),
	}
	var dir string
	runtimeDirFlag(c, &dir)
	asJSON := c.Flags().Bool("json", false, "print the whole document as JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		instance := ""
		if len(args) == 1 {
			instance = args[0]
		}
		return service.PrintWhy(c.Context(), c.OutOrStdout(), dir, instance, *asJSON)
	}
	return c
}

func reloadCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "reload",
		Short: "Have the running service read its configuration again",
		Long: "Have the running service read its configuration again, and wait until the new one is in force.\n" +
			"A configuration with errors changes nothing.\n" +
			"Exit status: 0 reloaded, 1 not reloaded, 3 not running.",
		Args: usage(cobra.NoArgs),
	}
	var dir string
	runtimeDirFlag(c, &dir)
	c.RunE = func(c *cobra.Command, _ []string) error { return service.Reload(c.Context(), c.OutOrStdout(), dir) }
	return c
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  usage(cobra.NoArgs),
		Run:   func(c *cobra.Command, _ []string) { fmt.Fprintln(c.OutOrStdout(), "standfast", version) },
	}
}

func runtimeDirFlag(c *cobra.Command, into *string) {
	c.Flags().StringVar(into, "runtime-dir", "/run/standfast", "the `DIR` of the lock and the sockets")
}

// usage marks what is wrong with the arguments as an error of the command line.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError{fmt.Errorf("%w; see %s --help", err, c.CommandPath())}
		}
		return nil
	}
}
