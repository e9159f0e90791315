package hwtest

import (
	"os/exec"
	"syscall"
)

// A Process is one that [Namespace.Start] started.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // what Wait said; read after done
}

func (p *Process) wait() {
	p.err = p.cmd.Wait()
	close(p.done)
}

// Pid returns the process's number.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended and all of its output was taken.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the end of the process and returns what [exec.Cmd.Wait] returned.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// Signal sends a signal to the process alone; [Namespace.Signal] reaches its descendants too. One that has ended is
// os.ErrProcessDone.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }
