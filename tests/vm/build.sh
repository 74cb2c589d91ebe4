# The last touch on the machine's root ($1), called by mmdebstrap: what it starts, then its disk, kernel and initrd in $TO.
set -eu

echo vm > "$1/etc/hostname"
printf '127.0.0.1 localhost\n192.0.2.1 vm\n' > "$1/etc/hosts"
rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap" "$1/etc/apt/sources.list.d/"* "$1/etc/resolv.conf"
: > "$1/etc/apt/sources.list"

cat > "$1/etc/systemd/system/tests.service" <<'END'
[Unit]
After=docker.service
Wants=docker.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'mkdir /given; mount /dev/vdb /given; exec sh /given/start'
# Whatever became of it, the machine ends; it ends well only by a status that /given/start has told the emulator.
ExecStopPost=/bin/systemctl --force --force poweroff
[Install]
WantedBy=multi-user.target
END
for timer in "$1"/etc/systemd/system/timers.target.wants/*; do rm -f "$timer"; done
chroot "$1" systemctl --quiet enable tests.service
chroot "$1" systemctl --quiet disable nfs-server.service
chroot "$1" systemctl --quiet set-default multi-user.target

cp "$1"/boot/vmlinuz-* "$TO/kernel"
cp "$1"/boot/initrd.img-* "$TO/initrd"
# Of a bind mount only the root itself is seen, not the /proc and /sys that are mounted in it now.
mkdir "$TO/root"
mount --bind "$1" "$TO/root"
trap 'umount "$TO/root"; rmdir "$TO/root"' EXIT
mke2fs -qF -t ext4 -d "$TO/root" "$TO/disk" 16G
