# A virtual address that nobody has, in front of two servers: by IPVS, in the kernel.
# needs a kernel of its own: IPVS is built into the kernel or it is not, and a container has its host's
for n in 1 2; do docker run -d --name t-real$n -e GREETING=real$n app:v1 > /dev/null; done
ip link add t-dummy type dummy; ip addr add 10.96.0.50/32 dev t-dummy; ip link set t-dummy up
ipvsadm -A -t 10.96.0.50:80 -s rr
for n in 1 2; do ipvsadm -a -t 10.96.0.50:80 -r "$(docker inspect -f '{{.NetworkSettings.IPAddress}}' t-real$n)":8080 -m; done
curl -s --retry 30 --retry-all-errors --retry-delay 1 http://10.96.0.50/ > /dev/null
for n in 1 2 3 4; do curl -s --max-time 5 http://10.96.0.50/; done | grep -o 'real[12]' | sort | uniq -c | grep -c '2 real' | grep -qx 2
ipvsadm -L -n | grep -q 10.96.0.50:80
echo done
# tidy up
ipvsadm -C; ip link del t-dummy; docker rm -f t-real1 t-real2
