#!/bin/sh
# A layer may hold a hard link to a file of a layer below it (tar's Linkname, which OCI's image specification takes over). podman, buildah and skopeo store such an image with
# containers-storage's vfs driver, and fail with its overlay driver, which unpacks each layer by itself: "no such file or directory". What is tried with
# one driver does not hold for the other, and a store in which it works says nothing of a user's.
# Needs: Debian 12 with apt, dpkg-deb, python3, root, a temporary directory on a file system that overlay takes (ext4, xfs).
# Seen: skopeo 1.9.3+ds1-1+b10 (Debian 12), podman 5.4.2 (13) and 5.8.6 (sid): vfs stores it, overlay fails.
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
apt --download-only install skopeo
for package in "$dir"/state/archives/*.deb; do dpkg-deb -x "$package" "$dir/root"; done
basename "$dir"/state/archives/skopeo_*.deb .deb

# the program itself unpacks layers in a process that it starts by its own name
export LD_LIBRARY_PATH="$dir/root/lib/x86_64-linux-gnu:$dir/root/usr/lib/x86_64-linux-gnu"
echo '{"default":[{"type":"insecureAcceptAnything"}]}' > "$dir/policy.json"

python3 - "$dir/image" <<'PYTHON'
import hashlib, io, json, os, sys, tarfile
out = sys.argv[1]
os.makedirs(out + "/blobs/sha256")
def blob(data):
    name = hashlib.sha256(data).hexdigest()
    open(f"{out}/blobs/sha256/{name}", "wb").write(data)
    return {"digest": "sha256:" + name, "size": len(data)}
def layer(name, **values):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo(name)
        for key, value in values.items(): setattr(member, key, value)
        tar.addfile(member, io.BytesIO(b"abc") if member.size else None)
    return {"mediaType": "application/vnd.oci.image.layer.v1.tar", **blob(data.getvalue())}
layers = [layer("file", size=3), layer("link", type=tarfile.LNKTYPE, linkname="file")]
config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [each["digest"] for each in layers]}}
config = {"mediaType": "application/vnd.oci.image.config.v1+json", **blob(json.dumps(config).encode())}
manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": layers}
manifest = {"mediaType": manifest["mediaType"], **blob(json.dumps(manifest).encode())}
json.dump({"schemaVersion": 2, "manifests": [manifest]}, open(out + "/index.json", "w"))
json.dump({"imageLayoutVersion": "1.0.0"}, open(out + "/oci-layout", "w"))
PYTHON

status=0
for line in "vfs stored" "overlay refused"; do
	set -- $line
	to="containers-storage:[$1@$dir/$1+$dir/run-$1]localhost/x:1"
	if "$dir/root/usr/bin/skopeo" --policy "$dir/policy.json" copy -q "oci:$dir/image" "$to" 2>"$dir/log"; then seen=stored; elif grep -q 'no such file or directory' "$dir/log"; then seen=refused; else seen=something; fi
	echo "$1: $seen"
	[ "$seen" = "$2" ] || { cat "$dir/log"; status=1; }
	umount "$dir/$1/overlay" 2>/dev/null || true
done
exit "$status"
