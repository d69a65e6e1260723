#!/bin/sh
# An image of a hundred layers, each of which podman stores and mounts, cannot be mounted where it lies in an additional store (containers-storage.conf(5), additionalimagestores): where the
# layers' paths are longer than a page together, podman 4 gives the kernel names relative to its own store, in which those layers are not: "no such file or directory". `podman images` lists
# it and skopeo copies it all the same, so that only starting a container tells.
# Needs: Debian 12 with apt, dpkg-deb, python3, root, a temporary directory on a file system that overlay takes (ext4, xfs).
# Seen: podman 4.3.1+ds1-8+deb12u1+b3 (Debian 12): mounts it of its own store, and not of an additional one.
set -eu
dir=$(mktemp -d)
trap 'cd /; umount -l "$dir"/*/overlay/*/merged "$dir"/*/overlay 2>/dev/null || true; rm -rf "$dir"' EXIT

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
apt --download-only install podman skopeo
for package in "$dir"/state/archives/*.deb; do dpkg-deb -x "$package" "$dir/root"; done
basename "$dir"/state/archives/podman_*.deb .deb

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
def layer(name):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as tar: tar.addfile(tarfile.TarInfo(name))
    return {"mediaType": "application/vnd.oci.image.layer.v1.tar", **blob(data.getvalue())}
layers = [layer(f"file-{i}") for i in range(100)]
config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [each["digest"] for each in layers]}}
config = {"mediaType": "application/vnd.oci.image.config.v1+json", **blob(json.dumps(config).encode())}
manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": layers}
manifest = {"mediaType": manifest["mediaType"], **blob(json.dumps(manifest).encode())}
json.dump({"schemaVersion": 2, "manifests": [manifest]}, open(out + "/index.json", "w"))
json.dump({"imageLayoutVersion": "1.0.0"}, open(out + "/oci-layout", "w"))
PYTHON

store="$dir/store"
"$dir/root/usr/bin/skopeo" --policy "$dir/policy.json" copy -q "oci:$dir/image" "containers-storage:[overlay@$store+$dir/run]localhost/x:1"
status=0
for line in "own mounted $store" "additional refused $dir/other --storage-opt additionalimagestore=$store"; do
	set -- $line
	where=$1 expected=$2 root=$3
	shift 3
	podman() {
		"$dir/root/usr/bin/podman" --root "$root" --runroot "$dir/run-$where" --storage-driver overlay --cgroup-manager cgroupfs --conmon "$dir/root/usr/bin/conmon" --runtime "$dir/root/usr/bin/crun" "$@"
	}
	container=$(podman "$@" create localhost/x:1 /none)
	if podman "$@" mount "$container" >/dev/null 2>"$dir/log"; then seen=mounted; elif grep -q 'no such file or directory' "$dir/log"; then seen=refused; else seen=something; fi
	echo "$where: $seen"
	[ "$seen" = "$expected" ] || { cat "$dir/log"; status=1; }
	podman "$@" rm --force "$container" >/dev/null
done
exit "$status"
