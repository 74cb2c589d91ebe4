# The last touch on the new root ($1) before it is packed: what is this host's, or this minute's, goes.
set -eu

# How apt reached its mirror (addresses, proxies, the passwords in either) is nobody's business inside a sandbox.
rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap" "$1/etc/apt/sources.list.d/"*
: > "$1/etc/apt/sources.list"
rm -f "$1/etc/hostname" "$1/etc/resolv.conf"

# 65 MB that nobody reads in a sandbox; licences stay. Leaving them out while unpacking (dpkg's path-exclude) would
# cost 12 seconds: mmdebstrap then filters every archive in Python.
rm -rf "$1/usr/share/locale/"* "$1/usr/share/man/"* "$1/usr/share/info/"*
find "$1/usr/share/doc" -type f ! -name copyright -delete

rm -rf "$1/var/cache/ldconfig/aux-cache" "$1/var/cache/debconf/"*-old "$1/var/lib/dpkg/"*-old
find "$1/var/log" -type f -delete

# Debian's byte code is compared with its source's hash at every import. This image is read-only in use: trusting the
# byte code starts Python, and so every sandbox, earlier. Files in old syntax that do not compile stay as they are.
chroot "$1" env -u PYTHONPATH python3 -m compileall -q -f --invalidation-mode unchecked-hash \
    /usr/lib/python3 /usr/lib/python3.11 > /dev/null 2>&1 || true
