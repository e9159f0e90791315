// Package machine runs virtual machines for the laboratory: a disk image made by debootstrap, QEMU with a network card of four ports, a
// hardware watchdog and a disk that is served by whoever started it, QMP to pull its parts, and a shell inside.
//
// A machine is an emulated one unless KVM is shown to work: an emulated processor is slow, and knows no other difference. It ends with the process
// that started it.
package machine
