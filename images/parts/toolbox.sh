# Makes one folder, /opt/paddock/box, of the packages unpacked in the new root ($1) and of the files in $FILES, and takes
# all else away. What lies in it needs no file of the image it is brought into: programs name their loader and libraries
# by the absolute path that the folder is mounted at.
set -eu
cd "$1"
box=opt/paddock/box
mkdir -p $box/bin $box/lib $box/tools

cp bin/busybox usr/bin/rg $box/bin/
cp usr/bin/python3.11 $box/bin/python3
cp -r usr/lib/python3.11 $box/lib/
# What the guest never asks for, and what would bring large libraries with it.
cd $box/lib/python3.11
rm -rf ./*-linux-gnu* EXTERNALLY-MANAGED LICENSE.txt __pycache__ _distutils_system_mod.py asyncio concurrent ctypes/macholib \
    ctypes/test curses dbm distutils email html http lib2to3 multiprocessing pydoc_data sitecustomize.py sqlite3 test \
    tkinter turtle* unittest venv wsgiref xml xmlrpc
find lib-dynload -type f ! -name '_ctypes.*' ! -name '_json.*' ! -name 'mmap.*' ! -name 'resource.*' \
    ! -name 'termios.*' ! -name '_posixshmem.*' ! -name '_queue.*' ! -name '_contextvars.*' -delete
cd "$1"
cp -r "$FILES/." $box/lib/python3.11/

# The loader under a name without the machine's, then every library that is asked for by what is there.
loader=$(echo usr/lib*/ld-linux*.so.* lib*/ld-linux*.so.* | tr ' ' '\n' | grep -v '\*' | head -n 1)
cp "$(readlink -f "$loader")" $box/lib/ld.so
# The image's own word on what every program has to load is not heeded: the name is of the same length, and never there.
LC_ALL=C sed -i 's|/etc/ld\.so\.preload|/opt/paddock/box/-|g' $box/lib/ld.so
! grep -q /etc/ld.so.preload $box/lib/ld.so
# Python looks for this above its own folder, too, and takes all it runs from beside it: the first to be found is ours.
: > $box/lib/python311.zip
needs() {
    chroot . "/$loader" --list "/$1" | sed -n 's/.* => \(\/[^ ]*\).*/\1/p'
}
programs="$box/bin/python3 $box/bin/rg"
modules=$(find $box/lib/python3.11/lib-dynload -name '*.so')
for one in $programs $modules; do needs "$one"; done | sort -u | while read -r library; do
    cp -L ".$library" $box/lib/
done
for one in $programs; do
    chroot . patchelf --set-interpreter /$box/lib/ld.so --force-rpath --set-rpath /$box/lib "/$one"
done
for one in $modules $box/lib/*.so.*; do
    chroot . patchelf --force-rpath --set-rpath /$box/lib "/$one"
done

# Programs that tools find last on their PATH: ripgrep everywhere, a shell where the image has none.
ln -s ../bin/rg $box/tools/rg
ln -s ../bin/busybox $box/tools/sh

chroot . /$box/bin/python3 -B -I -S -m compileall -q --invalidation-mode unchecked-hash /$box/lib/python3.11
# All else goes, how apt reached its mirror too; the builder itself still needs the rest of apt's folders.
rm -rf bin lib* sbin usr
rm -f etc/hostname etc/resolv.conf etc/apt/apt.conf.d/99mmdebstrap etc/apt/sources.list.d/*
: > etc/apt/sources.list
chmod -R go-w,a+rX opt
