// Package nbd is the disk of a virtual machine in the laboratory: a server of the NBD protocol on a unix socket, for the client that
// is built into QEMU, that misbehaves on command. The guest's kernel cannot tell it from a disk that hangs, fails or is slow.
//
// A disk starts as a copy of a base image, which any number of disks share and none changes: what a machine writes stays in the
// memory of its disk, for as long as that is served. So a machine that reboots, or that loses its power and gets it back, finds what
// it has written, and the next one that is made of the same image starts afresh. A disk has no cache that a power cut could empty:
// what was answered is kept, and requests that were not answered when the connection broke have not happened, if trouble held them.
//
// The protocol is the document that the sections named in comments are of:
// https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md. Of it there are the fixed newstyle handshake with one export
// whose name is empty, simple replies, and no TLS: whoever may open the socket may use the disk.
package nbd
