# What the machine does: the project at its own path with its own environment, our images, the tests, their exit code.
# $ROOT is the project's folder, $BASE where its Python lives, "$@" are pytest's arguments; they are set above this.
exec > /dev/virtio-ports/output 2>&1
mkdir -p "$ROOT" "$(dirname "$BASE")"
mount --bind /given/project "$ROOT"
[ -e "$BASE" ] || ln -s /usr "$BASE"
ip address add 192.0.2.1/24 dev lo  # an address of its own, for attacks to try
echo "vm: $(uname -sr), $(docker version --format 'Docker {{.Server.Version}}'), up after $(cut -d. -f1 /proc/uptime) s"
for image in /given/images/*.tar; do docker load --quiet --input "$image"; done
cd "$ROOT"
export CI=1 HOME=/root LANG=C.UTF-8
.venv/bin/pytest -p no:cacheprovider --timeout 900 "$@"
status=$?
sync
# The emulator's debug port: it ends with 2 * value + 1, so a value of 16 and more is no status of its own.
printf "\\$(printf %o $((16 + status)))" | dd of=/dev/port bs=1 seek=$((0xf4)) conv=notrunc status=none
