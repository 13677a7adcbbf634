#!/bin/bash
# What makes a bare Debian a node of the lab, done in the image's directory before anything starts.   customize-image.sh ROOT
# The packages that a chapter installs lie here as .deb files; what they depend on is installed already, so that the
# trainee's own apt-get installs what the chapter is about, at once and with no network.
set -euo pipefail
root=$1
v=$POSTGRES_VERSION
taught="etcd-server etcd-client postgresql postgresql-$v postgresql-client-$v patroni python3-etcd pgbackrest haproxy check-patroni"

cat >"$root/etc/apt/apt.conf.d/90workshop" <<'CONF'
APT::Install-Recommends "false";
Acquire::http::Timeout "5";
Acquire::Retries "0";
Dpkg::Progress-Fancy "0";
APT::Keep-Downloaded-Packages "true";
CONF
printf 'LANG=C.UTF-8\n' >"$root/etc/default/locale"
printf 'LANG=C.UTF-8\nDEBIAN_FRONTEND=noninteractive\n' >"$root/etc/environment"

apt_in() { chroot "$root" apt-get -y -qq "$@"; }
rm -f "$root"/var/cache/apt/archives/*.deb
# shellcheck disable=SC2086  # a list of words
apt_in --download-only install $taught
dependencies=()
for deb in "$root"/var/cache/apt/archives/*.deb; do
  name="$(basename "$deb")"
  case " $taught " in *" ${name%%_*} "*) ;; *) dependencies+=("${deb#"$root"}") ;; esac
done
DEBIAN_FRONTEND=noninteractive chroot "$root" dpkg --install "${dependencies[@]}"
rm -f "${dependencies[@]/#/$root}"

# A container may not load modules nor mount these, or now and then may not (mqueue, hugepages, which nobody needs
# here); without the mask, systemd says "degraded".
chroot "$root" systemctl -q mask systemd-modules-load.service sys-kernel-debug.mount sys-kernel-config.mount \
  dev-mqueue.mount dev-hugepages.mount systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer
mkdir -p "$root/etc/ssh/sshd_config.d"
printf 'MaxSessions 100\nMaxStartups 100:30:200\nUseDNS no\nHostKey /etc/ssh/ssh_host_ed25519_key\n' >"$root/etc/ssh/sshd_config.d/workshop.conf"
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/etc/resolv.conf" "$root/etc/machine-id" "$root/var/lib/dbus/machine-id"
: >"$root/etc/machine-id"
rm -rf "$root"/var/log/*.log "$root"/var/log/apt/* "$root"/tmp/*
