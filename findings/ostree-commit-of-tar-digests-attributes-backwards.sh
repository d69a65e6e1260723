#!/bin/sh
# `ostree commit --tree=tar=FILE` digests a file's extended attributes in the order in which libarchive hands them out, the archive's last one first, while
# everything else of ostree sorts them by name. So of an archive that has them sorted by name the commit has another checksum than of the same file in a
# directory, and in a `bare` repository, whose objects are the files themselves, `ostree fsck` calls the object corrupted that was just written. With the
# names backwards in the archive all is well.
# Needs: Debian 12 with apt, dpkg-deb, python3 (for an archive with attributes in a chosen order), a temporary directory that takes user.* attributes.
# Seen: ostree 2022.7-2+deb12u1: sorted: fsck fails with "Corrupted file object"; backwards: fsck passes.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

mirror=$(sed -n 's,^URIs: \(.*/debian\)/*$,\1,p' /etc/apt/sources.list.d/*.sources | head -n 1)
mkdir -p "$dir/state/lists/partial" "$dir/state/archives/partial" "$dir/root"
: > "$dir/state/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" > "$dir/state/sources.list"
apt() {
	apt-get -o "Dir::State=$dir/state" -o "Dir::State::lists=$dir/state/lists" -o "Dir::State::status=$dir/state/status" -o "Dir::Cache=$dir/state" \
		-o "Dir::Etc::sourcelist=$dir/state/sources.list" -o Dir::Etc::sourceparts=- -o APT::Architecture=amd64 -o APT::Architectures=amd64 \
		-o APT::Sandbox::User= -o APT::Install-Recommends=false -o Debug::NoLocking=true -qq -y "$@" >/dev/null
}
apt update
apt --download-only install ostree
for package in "$dir"/state/archives/*.deb; do dpkg-deb -x "$package" "$dir/root"; done
basename "$dir"/state/archives/ostree_*.deb .deb

ostree() {
	"$dir/root/lib64/ld-linux-x86-64.so.2" --library-path "$dir/root/lib/x86_64-linux-gnu:$dir/root/usr/lib/x86_64-linux-gnu" "$dir/root/usr/bin/ostree" "$@"
}

archive() { # FILE NAME NAME: one file with two attributes, in this order
	python3 - "$@" <<'PYTHON'
import io, sys, tarfile
path, *names = sys.argv[1:]
with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
    member = tarfile.TarInfo("file")
    member.size = 3
    member.pax_headers = {"SCHILY.xattr." + name: "1" for name in names}
    tar.addfile(member, io.BytesIO(b"abc"))
PYTHON
}

status=0
for line in "sorted user.a user.b fails" "backwards user.b user.a passes"; do
	set -- $line
	archive "$dir/$1.tar" "$2" "$3"
	ostree init --repo="$dir/$1" --mode=bare
	ostree commit --repo="$dir/$1" --branch=x --tar-autocreate-parents --tree="tar=$dir/$1.tar" --owner-uid="$(id -u)" --owner-gid="$(id -g)" >/dev/null
	if ostree fsck --repo="$dir/$1" >"$dir/log" 2>&1; then seen=passes; elif grep -q 'Corrupted file object' "$dir/log"; then seen=fails; else seen=something; fi
	echo "$1: fsck $seen"
	[ "$seen" = "$4" ] || { cat "$dir/log"; status=1; }
done
exit "$status"
