#!/bin/sh
# Debian's signed GRUB for removable media (gcdx64.efi) of 2.12 (Debian 13) does not read EFI/BOOT/grub.cfg, where the same program of 2.06
# (Debian 12) found its menu: its built-in script ends in `source $cmdpath/grub.cfg`, and this build never sets cmdpath (it sets fw_path).
# Both read boot/grub/grub.cfg of the partition that they came from.
# Needs: Debian 12 or later with apt, dpkg-deb, mtools, qemu-system-x86 and ovmf. Each package is started as BOOTX64.EFI from a FAT disk
# that has a menu in one of the places; a menu that is read says so.
# Seen: 1+2.06+13+deb12u2 of bookworm reads either, 1+2.12+9+deb13u4 of trixie stops at its prompt with EFI/BOOT/grub.cfg alone.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

mirror=$(sed -n 's,^URIs: \(.*/debian\)/*$,\1,p' /etc/apt/sources.list.d/*.sources | head -n 1)
fetch() { # SUITE: the signed GRUB of that suite, unpacked into $dir/SUITE
	state=$dir/apt-$1
	mkdir -p "$state/lists/partial" "$state/archives/partial" "$dir/$1"
	: > "$state/status"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main" > "$state/sources.list"
	set -- "$1" -o "Dir::State=$state" -o "Dir::State::lists=$state/lists" -o "Dir::State::status=$state/status" -o "Dir::Cache=$state" \
		-o "Dir::Etc::sourcelist=$state/sources.list" -o Dir::Etc::sourceparts=- -o APT::Architecture=amd64 -o APT::Sandbox::User= -o Debug::NoLocking=true
	suite=$1
	shift
	apt-get "$@" -qq update
	(cd "$state" && apt-get "$@" -qq download grub-efi-amd64-signed >/dev/null)
	dpkg-deb -x "$state"/grub-efi-amd64-signed_*.deb "$dir/$suite"
	basename "$state"/grub-efi-amd64-signed_*.deb
}

reads() { # SUITE PLACE: whether GRUB reads a menu there
	disk=$dir/$1.img
	rm -f "$disk"
	truncate -s 16M "$disk"
	mformat -i "$disk" -v FINDING ::
	mmd -i "$disk" ::/EFI ::/EFI/BOOT ::/boot ::/boot/grub
	mcopy -i "$disk" "$dir/$1/usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed" ::/EFI/BOOT/BOOTX64.EFI
	printf 'echo "the menu was read."\nsleep 1\nhalt\n' > "$dir/grub.cfg"
	mcopy -i "$disk" "$dir/grub.cfg" "::/$2/grub.cfg"
	cp /usr/share/OVMF/OVMF_VARS_4M.fd "$dir/vars.fd"
	timeout 60 qemu-system-x86_64 -accel tcg -machine q35 -m 512 -nographic -no-reboot -net none \
		-drive if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd \
		-drive "if=pflash,format=raw,unit=1,file=$dir/vars.fd" -drive "file=$disk,format=raw" </dev/null > "$dir/log" 2>&1 || true
	if grep -q 'the menu was read\.' "$dir/log"; then echo menu; elif grep -q 'grub>' "$dir/log"; then echo prompt; else echo nothing; fi
}

status=0
for suite in bookworm trixie; do echo "$suite: $(fetch "$suite")"; done
for line in "bookworm EFI/BOOT menu" "bookworm boot/grub menu" "trixie EFI/BOOT prompt" "trixie boot/grub menu"; do
	set -- $line
	seen=$(reads "$1" "$2")
	echo "$1, menu in $2: $seen"
	[ "$seen" = "$3" ] || { echo "expected: $3"; status=1; }
done
exit "$status"
