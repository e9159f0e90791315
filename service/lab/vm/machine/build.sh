#!/bin/sh
# build.sh FOLDER: makes in FOLDER what the laboratory's machines boot from: the disk "root.img", and beside it "kernel" and "initrd". It is a plain
# Debian, a kernel with Debian's drivers, rpm to install our package with, and Debian's keepalived, switched off.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
root=$folder/root
suite=bookworm

# Where this machine's own packages come from, if that is a Debian of the same release; else debootstrap knows where.
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $suite" 2>/dev/null | head -n 1)

base() {
	debootstrap --variant=minbase \
		--include=systemd,systemd-sysv,udev,kmod,dbus,iproute2,procps,initramfs-tools,zstd,rpm,keepalived "$suite" "$root" ${mirror:+"$mirror"}
}

# An initial RAM disk with no more drivers than the root and the shell need: unpacking more takes seconds on an emulated processor.
kernel() {
	mkdir -p "$root/etc/initramfs-tools/conf.d"
	printf 'MODULES=list\nCOMPRESS=zstd\nCOMPRESSLEVEL=1\n' >"$root/etc/initramfs-tools/conf.d/machine"
	printf '%s\n' virtio_pci virtio_scsi virtio_console sd_mod ext4 >>"$root/etc/initramfs-tools/modules"
	DEBIAN_FRONTEND=noninteractive chroot "$root" \
		apt-get -qq -y --no-install-recommends -o Acquire::Retries=2 install linux-image-amd64 </dev/null
}

# What the laboratory wants of each machine. Nothing of standfast is in it: a package brings that.
habits() {
	cp -R "$here/root/." "$root/"
	chroot "$root" systemctl --quiet disable keepalived.service
	chroot "$root" systemctl --quiet enable systemd-networkd.service machine-shell.service
	chroot "$root" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
		e2scrub_reap.service fstrim.timer systemd-networkd-wait-online.service getty@tty1.service serial-getty@ttyS0.service
	chroot "$root" passwd --quiet --delete root
	rm -f "$root/etc/machine-id" && touch "$root/etc/machine-id"
}

# What no router here loads or reads; it is half of the disk.
lean() {
	rm -rf "$root/var/cache/apt" "$root/var/lib/apt/lists" "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/locale"
	(cd "$root"/lib/modules/*/kernel && rm -rf sound drivers/gpu drivers/media drivers/infiniband drivers/staging drivers/iio \
		drivers/usb drivers/hid drivers/input/touchscreen drivers/net/wireless drivers/bluetooth net/bluetooth net/wireless fs/ocfs2 fs/gfs2)
	chroot "$root" depmod -a "$(basename "$root"/lib/modules/*)"
}

image() {
	cp "$root"/boot/vmlinuz-* "$folder/kernel"
	cp "$root"/boot/initrd.img-* "$folder/initrd"
	truncate -s 2G "$folder/root.new"
	mke2fs -q -t ext4 -L root -E lazy_itable_init=1,lazy_journal_init=1,nodiscard -d "$root" "$folder/root.new"
	rm -rf "$root"
	mv "$folder/root.new" "$folder/root.img"
}

rm -rf "$root"
# On lines of their own: in a list joined by && nothing in them would end this script.
base
kernel
habits
lean
image
