package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"standfast/configfs"
	"standfast/service/migrate"
)

const migrateHelp = `Move this router from keepalived to standfast, or back.

Without flags nothing is changed: one page says how keepalived is started here, what becomes of every option of its
command line, every complaint about its file, what standfast does differently with this file, what is in the way, what
your users will notice, and the steps. keepalived's file stays where it is, and nothing in it is changed.

--apply does it. Everything that can fail is looked at first. Then: standfast's OPTIONS name keepalived's file (what was
there before is kept), keepalived is stopped, standfast is started once no process of keepalived is left, and asked
whether it serves; keepalived is disabled and standfast enabled. The two never run at the same time. If a step fails, it
and those before it are undone, and keepalived runs again. Done once, it has nothing more to do.

--back is the same the other way round, and puts the previous OPTIONS back.

It is refused where the file has errors, where keepalived also balances load (virtual_server), where it was started by
hand or in a container, where the unit of the other is masked or missing, and where both run. The page says what to do.

Run it as root, on the BACKUP first, and not through one of the virtual addresses.

Exit status: 0 it can be done, or is done; 1 there are hazards, or it was begun, failed and was undone; 2 it cannot be
done. With --apply hazards do not count.`

func migrateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Move this router from keepalived to standfast, or back",
		Long:  migrateHelp,
		Example: "  standfast migrate                  # what would change\n" +
			"  standfast migrate --apply          # do it\n" +
			"  standfast migrate --back           # what it would take to go back\n" +
			"  standfast migrate --back --apply   # go back",
		Args: usage(cobra.NoArgs),
	}
	var dir string
	runtimeDirFlag(c, &dir)
	apply := c.Flags().Bool("apply", false, "do it, instead of saying what would be done")
	back := c.Flags().Bool("back", false, "from standfast to keepalived")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return migrateHost(c, migrate.Host(dir), *back, *apply)
	}
	return c
}

func migrateHost(c *cobra.Command, host migrate.Hands, back, apply bool) error {
	snapshot, err := migrate.Look(c.Context(), host)
	if err != nil {
		return err
	}
	way := migrate.Forward
	if back {
		way = migrate.Back
	}
	plan := way(snapshot)
	worst := plan.Worst()
	if !apply || worst == configfs.Error || len(plan.Steps) == 0 {
		if err := plan.Print(c.OutOrStdout()); err != nil {
			return err
		}
		switch {
		case worst == configfs.Error:
			return exit(exitRefused)
		case worst == configfs.Hazard && !apply:
			return exit(exitFailed)
		}
		return nil
	}
	if !host.Root() {
		return errors.New("only root may do that; nothing was changed")
	}
	// The terminal may be that of a connection which this ends. Who asks to stop midway gets everything undone.
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	ctx, cancel := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	return carryOut(ctx, c, host, plan)
}

func carryOut(ctx context.Context, c *cobra.Command, host migrate.Hands, plan migrate.Plan) error {
	for _, line := range plan.Interruption {
		fmt.Fprintln(c.OutOrStdout(), line)
	}
	if err := migrate.Apply(ctx, c.OutOrStdout(), host, migrate.DefaultPatience(), plan); err != nil {
		return err
	}
	fmt.Fprintln(c.OutOrStdout(), "done")
	return nil
}
