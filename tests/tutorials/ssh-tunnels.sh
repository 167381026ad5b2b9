# A server that listens on localhost is reached through SSH: a local, a remote and a dynamic forward, one of them kept by autossh.
ssh-keygen -A > /dev/null
test -f /root/.ssh/t-key || ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/t-key
cat /root/.ssh/t-key.pub >> /root/.ssh/authorized_keys
mkdir -p /run/sshd
/usr/sbin/sshd -p 2222 -o PidFile=/run/t-sshd.pid
echo only on localhost > /tmp/t-page
python3 -m http.server 8088 --bind 127.0.0.1 --directory /tmp > /dev/null 2>&1 &
server=$!
ssh="-p 2222 -i /root/.ssh/t-key -o StrictHostKeyChecking=accept-new -o ExitOnForwardFailure=yes -N -f"
ssh $ssh -L 9001:localhost:8088 localhost 2> /tmp/t-said
never grep -i 'cannot assign' /tmp/t-said
ssh $ssh -R 9002:localhost:8088 localhost
ssh $ssh -D 9003 localhost
AUTOSSH_PIDFILE=/run/t-autossh.pid autossh -M 0 $ssh -L 9004:localhost:8088 localhost
for address in "http://localhost:9001" "http://localhost:9002" "--socks5-hostname localhost:9003 http://localhost:8088" "http://localhost:9004"; do
    curl -s --retry 30 --retry-connrefused --retry-delay 1 $address/t-page | grep -q 'only on localhost'
done
lsof -iTCP:9001 -sTCP:LISTEN -n -P | grep -q ssh
echo done
# tidy up
kill "$(cat /run/t-autossh.pid)" "$(cat /run/t-sshd.pid)" $server; pkill -f 'ssh -p 2222'; pkill -f 'sshd.*2222'
sed -i '/t-key/d;$d' /root/.ssh/authorized_keys; rm -f /root/.ssh/t-key* /tmp/t-page /tmp/t-said /root/.ssh/known_hosts
