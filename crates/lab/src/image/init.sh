#!/busybox sh
# The first process of a machine: finds its root file system by the serial of its disk, and goes there.
/busybox mkdir -p /proc /sys /dev /sysroot
/busybox mount -t proc none /proc
/busybox mount -t sysfs none /sys
/busybox mount -t devtmpfs none /dev
while read -r module; do /busybox insmod "/modules/$module"; done </modules/order
serial=
for word in $(/busybox cat /proc/cmdline); do
    case "$word" in
        uc.root=*) serial=${word#uc.root=} ;;
        # Somebody wants to know whether a machine like this one gets as far as here.
        uc.probe=*) echo "ULTRACLOUD_MARKER probe ${word#uc.probe=}"; /busybox poweroff -f ;;
    esac
done
tries=0
while :; do
    for disk in /sys/block/*; do
        if [ "$(/busybox cat "$disk/serial" 2>/dev/null)" = "$serial" ]; then break 2; fi
    done
    tries=$((tries + 1))
    if [ "$tries" -ge 300 ]; then
        echo "no disk has the serial '$serial'; there are: $(/busybox ls /sys/block)"
        /busybox poweroff -f
    fi
    /busybox sleep 0.1
done
/busybox mount -t ext4 -o noatime "/dev/${disk##*/}" /sysroot || /busybox poweroff -f
/busybox mount --move /dev /sysroot/dev
/busybox umount /sys /proc
exec /busybox switch_root /sysroot /sbin/init
