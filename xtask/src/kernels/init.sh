#!/usr/bin/busybox sh
# The first program of a kernel that is tested. Takes what is to be run as files of its root, and words of the kernel's command
# line as its environment; prints marks that begin with `mayfly:` around the output of each part, and powers off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/busybox
export HOME=/root RUST_BACKTRACE=1
if [ "$1" != moved ]; then
    # The very first root cannot be left by pivot_root, which tests do.
    mkdir /new && mount -t tmpfs -o mode=755,size=700m root /new
    for folder in /*; do
        [ "$folder" = /new ] || cp -a "$folder" /new/
    done
    exec switch_root /new /init moved
fi
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir /dev/pts /dev/shm && mount -t devpts devpts /dev/pts && mount -t tmpfs shm /dev/shm
ln -sf /proc/self/fd /dev/fd
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs run /run
# Which trees of cgroups there are: as systemd mounts them, or in the older ways.
tree=/sys/fs/cgroup
if [ "${mayfly_cgroups:-v2}" != v2 ]; then
    mount -t tmpfs cgroup $tree && mkdir $tree/pids && mount -t cgroup -o pids pids $tree/pids
    mkdir $tree/unified && tree=$tree/unified
fi
[ "$mayfly_cgroups" = v1 ] || mount -t cgroup2 cgroup2 $tree
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
mount -t securityfs securityfs /sys/kernel/security
[ -z "$mayfly_hide" ] || mount -t tmpfs hidden "$mayfly_hide"
ip link set lo up
hostname mayfly
ulimit -l unlimited
for module in /modules/*.ko; do
    insmod "$module"
done
echo 1 >/proc/sys/kernel/bpf_stats_enabled
echo "mayfly: kernel $(uname -r)"
cd /mayfly || poweroff -f
echo "mayfly: begin check"
MAYFLY_LOG=${mayfly_log:-off} $mayfly_without ./mayfly-agent --config agent.toml --json check
echo "mayfly: end check $?"
if [ "$mayfly_tests" != no ]; then
    echo "mayfly: begin tests"
    sh ./tests
    echo "mayfly: end tests $?"
fi
poweroff -f
