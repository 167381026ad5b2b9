# A control group made with mkdir, with a limit of processes, and what the engine writes for a container's limits.
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then group=/sys/fs/cgroup/t-group; else group=/sys/fs/cgroup/pids/t-group; fi
mkdir $group
echo 4 > $group/pids.max
sh -c "echo 0 > $group/cgroup.procs; sleep 5 & sleep 5 & sleep 5 & sleep 5 & sleep 5 & wait" 2>&1 | grep -qi 'fork\|unavailable'
docker run -d --name t-limited --memory 64m --pids-limit 20 --cpus 0.5 base sleep 1000 > /dev/null
id=$(docker inspect -f '{{.Id}}' t-limited)
find /sys/fs/cgroup -path "*docker/$id/memory*max" -o -path "*docker/$id/memory.limit_in_bytes" | xargs cat | grep -qx 67108864
find /sys/fs/cgroup -path "*docker/$id/pids.max" | xargs cat | grep -qx 20
docker stats --no-stream --format '{{.MemUsage}}' t-limited | grep -q 64MiB
docker update --memory 128m --memory-swap 256m t-limited > /dev/null
docker inspect -f '{{.HostConfig.Memory}}' t-limited | grep -qx 134217728
echo done
# tidy up
docker rm -f t-limited; sleep 5; rmdir $group
