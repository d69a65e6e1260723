#!/usr/bin/env bash
# The action's one step: inputs come as the variables that action.yml names, outputs go to $GITHUB_OUTPUT.
set -euo pipefail

fail() {
	echo "::error title=oci2iso::$1"
	exit 2
}
# NAME VALUE: what the action that people come from did with the root file system
belongs_into_image() { [ -z "$2" ] || fail "input $1: $3"; }
ignored() { [ -z "$2" ] || echo "::notice title=oci2iso::input $1 is ignored: $3"; }

image=${IMAGE:-$IMAGE_REF}
[ -n "$image" ] || fail "input image is missing: the image to make an ISO of"
if [ -n "$IMAGE_REF" ] && [ "$IMAGE_REF" != "$image" ]; then fail "inputs image and image-ref are two images: give one of them"; fi
for type in $TYPES; do
	case $type in
	iso | bootc-generic-iso) ;;
	*) fail "input types: $type is not made here, only iso and bootc-generic-iso are" ;;
	esac
done
[ "${COMPRESSION:-squashfs}" = squashfs ] || fail "input compression: $COMPRESSION is not made here; options: --comp chooses squashfs's compressor"
belongs_into_image config-file "$CONFIG_FILE" "users, packages and files belong into the image, label and menu into its iso.yaml"
belongs_into_image kargs "$KARGS" "kernel arguments are kernel_args of the image's iso.yaml"
belongs_into_image hook-post-rootfs "$HOOK_POST_ROOTFS" "run it in the image's Containerfile (COPY it, RUN it)"
belongs_into_image hook-pre-initramfs "$HOOK_PRE_INITRAMFS" "run it in the image's Containerfile, before dracut"
[ "$FLATPAKS_LIST" = none ] || belongs_into_image flatpaks-list "$FLATPAKS_LIST" "install them in the image's Containerfile (flatpak install --system)"
[ "$LIVESYS" != true ] || fail "input livesys: install livesys-scripts and enable its services in the image's Containerfile"
[ "$ADD_POLKIT" != true ] || fail "input add-polkit: put the rules into /usr/share/polkit-1/rules.d in the image's Containerfile"
if [ -n "$CONTAINER_IMAGE" ] && [ "$CONTAINER_IMAGE" != "$image" ]; then
	fail "input container-image: an image to install is carried by options: --payload $CONTAINER_IMAGE, or put into the live image itself (podman pull in its Containerfile)"
fi
ignored builder-image "$BUILDER_IMAGE" "no builder is used"
ignored builder-distro "$BUILDER_DISTRO" "no builder is used"
ignored chown "$CHOWN" "the files belong to the runner's user"
ignored rootfs "$ROOTFS" "it is for disks"

iso=$(realpath -m "$ISO_DEST")
mkdir -p "$(dirname "$iso")"
read -ra options <<<"$(tr '\n' ' ' <<<"$OPTIONS $ADDITIONAL_ARGS")"
registry=(--tls-verify="$TLS_VERIFY")
case $CACHE in
runner) cache=(--cache "$CACHE_DIRECTORY" --cache-size 2G) ;;
none) cache=(--no-cache) ;;
*) cache=(--cache-from "$CACHE" --cache-to "$CACHE") ;;
esac

[ "$INSPECT" != true ] || node "$OCI2ISO" inspect "$image" "${registry[@]}" || echo "::warning title=oci2iso::inspect found what ends a boot: see its report"
node "$OCI2ISO" build "$image" -o "$iso" --overwrite --checksum sha256 --report "$iso.json" "${registry[@]}" "${cache[@]}" "${options[@]}"
[ "$VERIFY" != true ] || node "$OCI2ISO" verify "$iso" --image "$image" "${registry[@]}"

cat >>"$GITHUB_OUTPUT" <<EOF
iso-dest=$iso
output-directory=$(dirname "$iso")
output-paths=[{"type": "iso", "path": "$iso"}]
checksum=$(cut -d " " -f 1 "$iso-CHECKSUM")
checksum-path=$iso-CHECKSUM
report-path=$iso.json
EOF
