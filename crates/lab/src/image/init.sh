#!/busybox sh
# The first process of a machine: finds its disks by their serials, mounts them, and goes to the root file system.
/busybox mkdir -p /proc /sys /dev /sysroot
/busybox mount -t proc none /proc
/busybox mount -t sysfs none /sys
/busybox mount -t devtmpfs none /dev
while read -r module; do /busybox insmod "/modules/$module"; done </modules/order
root= payload=
for word in $(/busybox cat /proc/cmdline); do
    case "$word" in
        uc.root=*) root=${word#*=} ;;
        uc.payload=*) payload=${word#*=} ;;
        # Somebody wants to know whether a machine like this one gets as far as here.
        uc.probe=*) echo "ULTRACLOUD_MARKER probe ${word#*=}"; /busybox poweroff -f ;;
    esac
done

# Sets `disk` to the device with a serial; without it, there is nothing to be done here.
find_disk() {
    tries=0
    while :; do
        for disk in /sys/block/*; do
            if [ "$(/busybox cat "$disk/serial" 2>/dev/null)" = "$1" ]; then
                disk=/dev/${disk##*/}
                return
            fi
        done
        tries=$((tries + 1))
        if [ "$tries" -ge 300 ]; then
            echo "no disk has the serial '$1'; there are: $(/busybox ls /sys/block)"
            /busybox poweroff -f
        fi
        /busybox sleep 0.1
    done
}

# mount_disk SERIAL TYPE OPTIONS DIRECTORY
mount_disk() {
    find_disk "$1"
    /busybox mkdir -p "$4"
    if /busybox mount -t "$2" -o "$3" "$disk" "$4"; then return; fi
    echo "cannot mount the disk '$1' at $4"
    /busybox poweroff -f
}

mount_disk "$root" ext4 noatime /sysroot
[ -z "$payload" ] || mount_disk "$payload" erofs ro /sysroot/opt/ultracloud
/busybox mount --move /dev /sysroot/dev
/busybox umount /sys /proc
exec /busybox switch_root /sysroot /sbin/init
