# Debugging ports: published or not, at which address, by whom, seen from the machine, from inside and on the wire.
docker run -d --name t-web -p 127.0.0.1:8123:8080 app:v1 > /dev/null
docker run -d --name t-local -p 8124:8080 app:v1 python3 -c "import http.server as h; h.HTTPServer(('127.0.0.1', 8080), h.SimpleHTTPRequestHandler).serve_forever()" > /dev/null
curl -s --retry 30 --retry-all-errors --retry-delay 1 http://127.0.0.1:8123 | grep -q container
never curl -s --max-time 5 http://127.0.0.1:8124
ss -ltnp | grep 8123 | grep -q docker-proxy
netstat -ltn | grep -q '127.0.0.1:8123'
pid=$(docker inspect -f '{{.State.Pid}}' t-local)
nsenter -t $pid -n ss -ltn | grep -q '127.0.0.1:8080'
nsenter -t $pid -n curl -s http://127.0.0.1:8080/ | grep -qi directory
nsenter -t "$(docker inspect -f '{{.State.Pid}}' t-web)" -n tcpdump -c1 -ni eth0 tcp port 8080 > /tmp/t-seen 2> /dev/null & watcher=$!
for try in $(seq 30); do curl -s http://127.0.0.1:8123 > /dev/null; kill -0 $watcher 2> /dev/null || break; sleep 0.3; done
grep -q '8080' /tmp/t-seen
docker port t-web | grep -q '127.0.0.1:8123'
nc -z 127.0.0.1 8123
never nc -z 127.0.0.1 8125
echo done
# tidy up
docker rm -f t-web t-local; rm -f /tmp/t-seen
