# Two network namespaces, a veth pair from each to a bridge, an address on the bridge, and one reaches the other and the machine.
ip link add t-br0 type bridge
ip addr add 172.28.0.1/24 dev t-br0
ip link set t-br0 up
for n in 1 2; do
    ip netns add t-ns$n
    ip link add t-veth$n type veth peer name t-ceth$n
    ip link set t-ceth$n netns t-ns$n
    ip link set t-veth$n master t-br0 up
    ip netns exec t-ns$n ip link set lo up
    ip -n t-ns$n addr add 172.28.0.1$n/24 dev t-ceth$n
    ip -n t-ns$n link set t-ceth$n up
    ip -n t-ns$n route add default via 172.28.0.1
done
ip netns list | grep -c t-ns | grep -qx 2
ip netns exec t-ns1 ping -c1 -W5 172.28.0.12
ip netns exec t-ns2 ping -c1 -W5 172.28.0.1
ping -c1 -W5 172.28.0.11
brctl show t-br0 | grep -q t-veth2
bridge link show | grep -q 'master t-br0'
arp -an | grep -q 172.28.0.11
echo done
# tidy up
ip netns del t-ns1; ip netns del t-ns2; ip link del t-br0
