# What an image is, taken apart: its files under an overlay, a process of its own in new namespaces, with a root of its own and a limit.
mkdir /tmp/t
mount -t tmpfs t /tmp/t
mkdir -p /tmp/t/lower /tmp/t/upper /tmp/t/work /tmp/t/merged
docker create --name t-source base > /dev/null
docker export t-source | tar -x -C /tmp/t/lower
docker rm t-source > /dev/null
mount -t overlay overlay -o lowerdir=/tmp/t/lower,upperdir=/tmp/t/upper,workdir=/tmp/t/work /tmp/t/merged
said=$(unshare --mount --uts --ipc --net --pid --fork chroot /tmp/t/merged /bin/sh -c \
    'mount -t proc proc /proc; hostname by-hand; hostname; echo $$; ps | wc -l; touch /made; ip link | grep -c mtu')
test "$(echo $said | cut -d' ' -f1-2)" = "by-hand 1"
test -e /tmp/t/upper/made
test ! -e /tmp/t/lower/made
test "$(hostname)" != by-hand
echo done
# tidy up
umount /tmp/t/merged; umount /tmp/t; rmdir /tmp/t
