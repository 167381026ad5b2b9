# A server in a namespace is published at a port of the machine by rules alone: DNAT for who comes in, another for the machine itself,
# and masquerading for what the namespace sends out.
ip netns add t-srv
ip link add t-veth0 type veth peer name t-ceth0 netns t-srv
ip addr add 172.29.0.1/24 dev t-veth0
ip link set t-veth0 up
ip -n t-srv addr add 172.29.0.2/24 dev t-ceth0
ip -n t-srv link set t-ceth0 up
ip -n t-srv route add default via 172.29.0.1
echo hello from the namespace > /tmp/t-page
ip netns exec t-srv python3 -m http.server 5000 --directory /tmp > /dev/null 2>&1 &
server=$!
iptables -t nat -A PREROUTING -d 10.20.0.1 -p tcp --dport 5055 -j DNAT --to-destination 172.29.0.2:5000
iptables -t nat -A OUTPUT -d 10.20.0.1 -p tcp --dport 5055 -j DNAT --to-destination 172.29.0.2:5000
iptables -t nat -A POSTROUTING -s 172.29.0.0/24 ! -o t-veth0 -j MASQUERADE
iptables -I FORWARD -d 172.29.0.0/24 -j ACCEPT
iptables -I FORWARD -s 172.29.0.0/24 -j ACCEPT
curl -s --retry 30 --retry-connrefused --retry-delay 1 http://172.29.0.2:5000/t-page | grep -q hello
curl -s http://10.20.0.1:5055/t-page | grep -q hello
docker run --rm app:v1 python3 -c "import urllib.request as u; print(u.urlopen('http://10.20.0.1:5055/t-page').read())" | grep -q hello
conntrack -L 2>/dev/null | grep -q 'dport=5055'
iptables -t nat -L OUTPUT -n | grep -q 5055
echo done
# tidy up
iptables -t nat -D PREROUTING -d 10.20.0.1 -p tcp --dport 5055 -j DNAT --to-destination 172.29.0.2:5000
iptables -t nat -D OUTPUT -d 10.20.0.1 -p tcp --dport 5055 -j DNAT --to-destination 172.29.0.2:5000
iptables -t nat -D POSTROUTING -s 172.29.0.0/24 ! -o t-veth0 -j MASQUERADE
iptables -D FORWARD -d 172.29.0.0/24 -j ACCEPT; iptables -D FORWARD -s 172.29.0.0/24 -j ACCEPT
kill $server; ip netns del t-srv; ip link del t-veth0; rm /tmp/t-page
