package main

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"standfast/service"
	"standfast/service/doctor"
)

const doctorHelp = `Look at this host and say on one page what will hurt a router on it, why, and what to do about it.

First come the findings, the worst first. Each says what is so, why it hurts, and what to do, in lines to paste:

  ERROR   the configuration cannot be run
  HAZARD  it runs, and will hurt on the day of a failover
  NOTE    worth knowing

Then the configured ports: what each is used for, its driver and card, which ports share that card, and what a driver
can testify when its link goes dark. Then the storage under the router. Then, for each instance, what no evidence can
settle, and what this router will do in that situation by its policy (fault_prior, fault_contested): read it before the
night in which you need it. Last, in one line, what was found well.

What is looked at: the configuration; links, cards, bridges, bonds, MTU, multicast; the kernel's settings for ARP,
reverse paths, forwarding and IPv6; whether the firewall (nftables, iptables, firewalld) lets IP protocol 112 through;
whether NetworkManager, systemd-networkd or another VRRP daemon will fight for the addresses; virtual addresses that are
where they should not be; notify scripts; locked memory, real-time scheduling, swap, watchdogs; SELinux; the kernel's
version; disks and file systems. Of a running service also how it is, whether its adverts get through the filters of
this host, and whether a silence on each port would count as evidence: witnesses, calibration, blindness.

Nothing on the host is changed, and no device is opened. Each look has a deadline: one that hangs, as on a dead disk, is
named "not answered" and left behind. Root sees most; what another user may not see is named.

--cable-test measures the cable of a port by reflectometry, where its PHY can. It takes the link of that port down for
one to six seconds, and refuses a port that has a link or that the running service uses. The result settles little: a
partner without power may read as ok, open or an impedance mismatch.

Exit status: 0 nothing worse than notes, 1 hazards, 2 a configuration that cannot be run.`

func doctorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what on this host will hurt, why, and what to do about it",
		Long:  doctorHelp,
		Example: "  standfast doctor                       # of the running service's configuration\n" +
			"  standfast doctor -f new.conf           # before it is put in place\n" +
			"  standfast doctor --json | jq '.findings[] | select(.severity == \"hazard\")'\n" +
			"  standfast doctor --drivers             # which drivers can testify what",
		Args: usage(cobra.NoArgs),
	}
	o := doctor.Options{Version: version}
	runtimeDirFlag(c, &o.RuntimeDir)
	c.Flags().StringVarP(&o.File, "file", "f", "", "the configuration `FILE` (default: that of the running service, or "+doctor.DefaultFile+")")
	c.Flags().BoolVar(&o.JSON, "json", false, "print the whole document as JSON")
	drivers := c.Flags().Bool("drivers", false, "print only which drivers can testify what")
	cable := c.Flags().String("cable-test", "", "only measure the cable of a `PORT` that is not in use")
	c.RunE = func(c *cobra.Command, _ []string) error {
		switch {
		case *drivers && *cable != "":
			return usageError{errors.New("--drivers and --cable-test are two questions; see standfast doctor --help")}
		case *drivers:
			return printDrivers(c, o.JSON)
		case *cable != "":
			return testCable(c, o, *cable)
		}
		if err := absolute(&o.File); err != nil {
			return err
		}
		worst, err := doctor.Report(c.Context(), c.OutOrStdout(), o)
		if err != nil {
			return err
		}
		switch worst {
		case doctor.SeverityError:
			return exit(exitRefused)
		case doctor.SeverityHazard:
			return exit(exitFailed)
		case doctor.SeverityOK, doctor.SeverityNote:
		}
		return nil
	}
	return c
}

// absolute makes the name of a file good for anywhere.
func absolute(file *string) (err error) {
	if *file != "" {
		*file, err = filepath.Abs(*file)
	}
	return err
}

func printDrivers(c *cobra.Command, asJSON bool) error {
	if !asJSON {
		return service.PrintDrivers(c.OutOrStdout())
	}
	e := json.NewEncoder(c.OutOrStdout())
	e.SetIndent("", "  ")
	return e.Encode(service.DriverTable())
}

// cablePatience is longer than any PHY takes.
const cablePatience = 15 * time.Second

func testCable(c *cobra.Command, o doctor.Options, port string) error {
	ctx, cancel := context.WithTimeout(c.Context(), cablePatience)
	defer cancel()
	return doctor.TestCable(ctx, c.OutOrStdout(), o.RuntimeDir, port)
}

// doctorHelper looks at the host for the doctor, who may outlive it.
func doctorHelper() *cobra.Command {
	c := &cobra.Command{Use: "doctor", Short: "Examine the host for standfast doctor", Args: usage(cobra.NoArgs)}
	o := doctor.Options{Version: version}
	runtimeDirFlag(c, &o.RuntimeDir)
	c.Flags().StringVar(&o.File, "file", "", "the configuration `FILE`")
	c.RunE = func(c *cobra.Command, _ []string) error { return doctor.Examine(c.Context(), c.OutOrStdout(), o) }
	return c
}
