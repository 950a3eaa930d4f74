#!/bin/sh
# Boots a root folder with its own systemd: boot.sh ROOT NAME
#
# systemd is process 1 of new PID, mount, network, UTS, IPC and cgroup namespaces; ROOT becomes its
# root. Nothing of the host is mounted there but a few device nodes. This process lives as long as
# the machine; the one that is its child is systemd, for nsenter(1). Only root may do this.
set -eu

root=$1
name=$2

# The second half, inside of the new namespaces.
if [ "${3-}" = inside ]; then
  mount --make-rprivate /
  mount --bind "$root" "$root"
  cd "$root"
  mount -t proc proc proc
  mount -t sysfs -o ro sysfs sys
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  mount -t tmpfs -o mode=755,nosuid tmpfs dev
  for node in null zero full random urandom tty; do
    touch "dev/$node"
    mount --bind "/dev/$node" "dev/$node"
  done
  mkdir dev/pts dev/shm
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
  ln -s pts/ptmx dev/ptmx
  mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs dev/shm
  ln -s /proc/self/fd dev/fd
  ln -s fd/0 dev/stdin
  ln -s fd/1 dev/stdout
  ln -s fd/2 dev/stderr
  mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
  mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs tmp
  hostname "$name"
  mkdir -p mnt
  pivot_root . mnt
  cd /
  umount -l mnt
  exec env -i container=chat-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --log-target=console --show-status=no
fi

# systemd 252 takes the unified hierarchy alone as well as one beside those of version 1.
cgroups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
[ -n "$cgroups" ] || { echo "boot.sh: no cgroup2 is mounted" >&2; exit 77; }
mkdir -p "$cgroups/$name"
echo $$ >"$cgroups/$name/cgroup.procs"
exec unshare --mount --uts --ipc --net --pid --cgroup --fork --kill-child \
  "$0" "$root" "$name" inside
