#!/usr/bin/env bash
# Makes what is installed elsewhere, into target/package: the wheels `dosegrid` (pure Python) and `dosegrid-server` (the
# program), and a Debian package with unit, manual pages and completions.
#
#   deploy/package.sh                all of it but the image
#   deploy/package.sh client deb     some: client, server, deb, image
#   BASELINE=2_28 deploy/package.sh server      the wheel for glibc 2.28 and later, linked by zig
#
# Needs Rust, Python 3.9, for the Debian package dpkg, and for the image buildah and root.
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

# The image for the CPU, from nothing: as an archive that podman and docker load.
image() {
  cargo build --release --locked
  local root=$out/image/root library
  rm -rf "$out/image"
  mkdir -p "$root/usr/bin" "$root/var/lib/dosegrid" "$root/etc/dosegrid" "$root/tmp"
  install -m 0755 -s target/release/dosegrid "$root/usr/bin/"
  for library in $(ldd "$root/usr/bin/dosegrid" | grep -o '/[^ ]*'); do
    install -D -m 0755 "$(realpath "$library")" "$root$library"
  done
  chown 10001:10001 "$root/var/lib/dosegrid"
  buildah --storage-driver vfs build --isolation chroot -t "dosegrid:$version-cpu" -f deploy/Containerfile.cpu "$out/image"
  rm -f "$out/dosegrid-$version-cpu.tar"
  buildah --storage-driver vfs push "dosegrid:$version-cpu" "oci-archive:$out/dosegrid-$version-cpu.tar:dosegrid:cpu"
}

for part in "${what[@]}"; do
  case $part in
    client | server | deb | image) "$part" ;;
    *) echo "there is no part $part: client, server, deb, image"; exit 2 ;;
  esac
done
ls -l "$out"
