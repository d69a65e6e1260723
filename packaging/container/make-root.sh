#!/bin/sh
# make-root.sh PACKAGE-DIRECTORY ROOT: makes the root file system of oci2iso's own image, on Debian 13 or later.
set -eu
package=$1
root=$2
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

apt-get update -qq
apt-get install -y -qq --no-install-recommends nodejs busybox-static ca-certificates >/dev/null

mkdir -p "$root/usr/bin" "$root/usr/lib" "$root/usr/lib64" "$root/etc/ssl/certs" "$root/work" "$root/tmp"
chmod 1777 "$root/work" "$root/tmp"
for name in bin lib lib64; do ln -s "usr/$name" "$root/$name"; done

# Node.js and what it depends on: their files as packages have them, without documentation; licences stay.
apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances nodejs |
	grep '^[a-z0-9]' | grep -vE '^(debconf|cdebconf|dpkg|tar|perl.*|openssl.*)(:|$)' | sort -u |
	while read -r name; do
		dpkg-query --listfiles "$name" 2>/dev/null || true
	done |
	grep -vE '^/(\.|usr/sbin|usr/share/(man|locale|lintian|bug|doc-base|bash-completion|i18n|info)|usr/share/doc/.*/(changelog|NEWS|README|TODO|AUTHORS|BUGS|examples|api).*)(/|$)?' |
	sort -u |
	while read -r path; do
		if [ ! -d "$path" ] || [ -L "$path" ]; then
			case $path in /bin/* | /lib/* | /lib64/*) path=/usr$path ;; esac
			echo "$path"
		fi
	done | sort -u | tar -cf - --verbatim-files-from -T - | tar -xf - -C "$root" --keep-directory-symlink
cp /bin/busybox "$root/usr/bin/busybox"
for name in sh cat cp cut date dirname basename echo env expr grep head id ls mkdir mv printf rm sed sleep tail test tr true; do
	ln -s busybox "$root/usr/bin/$name"
done
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
echo "oci2iso:x:65532:65532::/tmp:/usr/bin/sh" >"$root/etc/passwd"
echo "oci2iso:x:65532:" >"$root/etc/group"
echo "hosts: files dns" >"$root/etc/nsswitch.conf"
cp /usr/lib/os-release "$root/usr/lib/"
ln -s ../usr/lib/os-release "$root/etc/os-release"

home=$root/usr/lib/node_modules/oci2iso
mkdir -p "$home"
tar -xzf "$package"/oci2iso-*.tgz -C "$home" --strip-components=1
rm -rf "$home/native" "$home/docs"
find "$home" -name '*.d.ts' -delete
cp -R "$package/node_modules" "$home/node_modules"
ln -s ../lib/node_modules/oci2iso/dist/cli/main.js "$root/usr/bin/oci2iso"

# The same bytes whenever the same packages are there.
find "$root" -exec touch --no-dereference --date=@0 {} +
if find "$root" -perm /6000 | grep .; then exit 1; fi
