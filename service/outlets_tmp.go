package service

import (
	"log/slog"
	"os"
)

type noSupervisor struct{ log *slog.Logger }

func (n noSupervisor) Ready(status string)  { n.log.Info("READY " + status) }
func (n noSupervisor) Status(status string) {}
func (n noSupervisor) Stopping()            {}
func (n noSupervisor) Reloading()           {}
func (n noSupervisor) Progress()            {}

type noScripts struct{}

func (noScripts) Post(string, []string) {}

func openOutlets(o Options) (outlets, func(), error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: o.Level}))
	return outlets{log: log, supervisor: noSupervisor{log}, scripts: noScripts{}}, func() {}, nil
}
