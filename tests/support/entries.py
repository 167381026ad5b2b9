"""Entries to a group of replicas, as learners make them in a shell: for tests of the tasks of lesson 06.

They find ``$service``, ``$greeting`` and ``$port`` in variables, and what they start in the background ends with ``END``.
"""

from __future__ import annotations

PIDS = "/run/course-test-pids"
ADDRESS = """
address() { docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' $service-$1; }
"""
THREE = f"""
for number in 1 2 3; do docker run -d --name $service-$number -e GREETING=$greeting ${{image:-app:v1}}; done
{ADDRESS}
"""
"""Three replicas ``$service-1`` to ``$service-3``, and a function that prints the address of one."""
CONFIG = """
cat > /root/$service.cfg <<END
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
listen entry
  bind :$port
  balance roundrobin
  option httpchk GET ${probe:-/ready}
  default-server check inter 1s
$(for number in 1 2 3; do echo "  server $number $(address $number):8080 cookie $number"; done)
END
"""
"""The settings of an HAProxy that asks each replica whether it is ready."""
START = f"""
haproxy -D -p {PIDS}-haproxy -f /root/$service.cfg
"""
HAPROXY = CONFIG + START
IN_THE_BACKGROUND = f"""
setsid bash /root/$service-loop > /dev/null 2>&1 < /dev/null &
echo $! > {PIDS}-loop
"""
END = rf"""
cat {PIDS}-* 2>/dev/null | xargs -r kill; rm -f {PIDS}-*
iptables-save | grep -v -e 'vip-' -e 'ready-' -e 'sticky-' -e '-d 10\.96\.' | iptables-restore
nft delete table ip course-test 2>/dev/null
ip -o addr show to 10.96.0.0/16 | awk '{{print $4, "dev", $2}}' | xargs -rL1 ip addr del
ip route show table local | awk '$2 ~ /^10\.96\./ {{print $2}}' | xargs -rn1 ip route del table local
command -v ipvsadm > /dev/null && ipvsadm -C 2>/dev/null
true
"""
