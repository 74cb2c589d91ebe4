set -eu
rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap" "$1/etc/apt/sources.list.d/"*
: > "$1/etc/apt/sources.list"
