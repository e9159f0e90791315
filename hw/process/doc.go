// Package process is this process's hold on the machine: memory that no disk can
// take away, processor time when there is little, the hardware watchdog that
// resets the host when the process no longer can, and what all of it costs.
//
// # Memory
//
// A page that is not resident has to be read, and a Go process in which one
// thread waits for a dead disk stands still as a whole at its next collection.
// [LockMemory] makes the text resident, code that never ran included, and keeps
// whatever else becomes so.
//
// # Processor time
//
// [SetSchedule] applies to every thread. One real-time thread among ordinary ones
// is worse than none: the runtime moves goroutines between threads, and the
// real-time one waits for a lock that an ordinary thread holds and gets no time to
// give back.
//
// Nothing here starts a goroutine, and nothing retries.
package process
