#!/usr/bin/env bash
# Makes what is installed elsewhere, into target/package: the wheels `dosegrid` (pure Python) and `dosegrid-server` (the
# program), and a Debian package with unit, manual pages and completions.
#
#   deploy/package.sh                all of it but the images
#   deploy/package.sh client deb     some: client, server, deb, image, gpu-image
#   BASELINE=2_28 deploy/package.sh server      the wheel for glibc 2.28 and later, linked by zig
#
# Needs Rust, Python 3.9, for the Debian package dpkg, and for the images buildah and root; for that with the drivers of
# GPUs mmdebstrap too, which takes Debian's packages of SUITE (by default that of this machine, whose C library the program
# is linked to).
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/target/package
tools=$PWD/target/package-tools
what=("$@")
[ ${#what[@]} -gt 0 ] || what=(client server deb)
mkdir -p "$out"
[ -x "$tools/bin/pip" ] || python3 -m venv "$tools"

# One version everywhere.
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
for file in clients/python/pyproject.toml clients/python/src/dosegrid/_version.py CITATION.cff; do
  grep -q "version.*$version" "$file" || { echo "$file has another version than $version"; exit 1; }
done
grep -q "dosegrid-server==$version" clients/python/pyproject.toml

client() {
  "$tools/bin/pip" wheel -q --no-deps -w "$out" clients/python
}

server() {
  "$tools/bin/pip" install -q 'maturin>=1.9,<2' ${BASELINE:+ziglang}
  (cd deploy/python-server && PATH=$tools/bin:$PATH "$tools/bin/maturin" build --release --locked --out "$out" \
    ${BASELINE:+--compatibility "manylinux_$BASELINE" --zig})
}

deb() {
  cargo build --release --locked
  local cargo_deb=cargo-deb
  command -v cargo-deb > /dev/null || {
    cargo_deb=$tools/bin/cargo-deb
    [ -x "$cargo_deb" ] || cargo install -q --locked --root "$tools" --version 3.8.0 cargo-deb
  }
  rm -rf "$out/man" "$out/completions"
  mkdir -p "$out/man" "$out/completions"
  target/release/dosegrid man "$out/man"
  target/release/dosegrid completions bash > "$out/completions/dosegrid"
  target/release/dosegrid completions zsh > "$out/completions/_dosegrid"
  target/release/dosegrid completions fish > "$out/completions/dosegrid.fish"
  gzip -9nc CHANGELOG.md > "$out/changelog.gz"
  printf 'dosegrid (%s-1) unstable; urgency=medium\n\n  * %s\n\n -- The dosegrid authors <>  %s\n' "$version" \
    "Release $version: changelog.gz tells what is in it." "$(git log -1 --format=%cD)" > "$out/changelog.Debian"
  "$cargo_deb" --no-build --output "$out"
}

# Puts the program and the folders that it uses into the root of an image. Nobody in the image can change the program.
fill() {
  install -D -m 0755 -s target/release/dosegrid "$1/usr/bin/dosegrid"
  mkdir -p "$1/etc/dosegrid" "$1/var/lib/dosegrid"
  install -d -m 1777 "$1/tmp"
  chown 10001:10001 "$1/var/lib/dosegrid"
}

# Builds an image of a root, as an archive that podman and docker load. A tar keeps owners, which COPY does not.
build() {
  local kind=$1 place=$2
  tar --numeric-owner -C "$place/root" -cf "$place/root.tar" .
  buildah --storage-driver vfs build --isolation chroot -t "dosegrid:$version-$kind" -f "deploy/Containerfile.$kind" \
    "$place"
  rm -f "$out/dosegrid-$version-$kind.tar"
  buildah --storage-driver vfs push "dosegrid:$version-$kind" \
    "oci-archive:$out/dosegrid-$version-$kind.tar:dosegrid:$kind"
}

# The image for the CPU, from nothing.
image() {
  cargo build --release --locked
  local root=$out/image/root library
  rm -rf "$out/image"
  mkdir -p "$root"
  fill "$root"
  for library in $(ldd "$root/usr/bin/dosegrid" | grep -o '/[^ ]*'); do
    install -D -m 0755 "$(realpath "$library")" "$root$library"
  done
  build cpu "$out/image"
}

# The image with drivers of GPUs, from Debian's packages: the loader of Vulkan, what NVIDIA's driver loads beside it, and
# Mesa's drivers, of which one computes on the processor.
gpu_image() {
  cargo build --release --locked
  local root=$out/gpu-image/root suite=${SUITE:-$(. /etc/os-release && echo "$VERSION_CODENAME")}
  rm -rf "$out/gpu-image"
  mkdir -p "$out/gpu-image"
  mmdebstrap --quiet --variant=minbase --include=libvulkan1,libxext6,mesa-vulkan-drivers \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' "$suite" "$root"
  install -D -m 0644 deploy/nvidia_icd.json "$root/etc/vulkan/icd.d/nvidia_icd.json"
  fill "$root"
  build gpu "$out/gpu-image"
}

for part in "${what[@]}"; do
  case $part in
    client | server | deb | image) "$part" ;;
    gpu-image) gpu_image ;;
    *) echo "there is no part $part: client, server, deb, image, gpu-image"; exit 2 ;;
  esac
done
ls -l "$out"
