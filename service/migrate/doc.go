// Package migrate moves a router from keepalived to standfast, and back.
//
// Look takes a snapshot of the host: the two units as systemd sees them, the processes, the files. Forward and Back make a
// Plan of it, which is a value: what is there, what becomes of every option, what is in the way, and the steps. Print shows
// a plan on one page; Apply carries it out through Hands.
//
// Two promises are kept whatever fails on the way. The two daemons never run at the same time: neither is started before
// nothing is left of the other, not even to undo. And who served before serves afterwards: a step that fails is undone with
// those before it, so that a router is not left without either.
//
// keepalived's file stays where it is, and nothing in its folder is changed.
package migrate
