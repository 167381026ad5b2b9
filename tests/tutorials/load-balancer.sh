# Round robin in front of three servers with health checks: one is stopped and gets nothing, comes back, and gets its share again.
for n in 1 2 3; do docker run -d --name t-app$n -e GREETING=app$n -p 910$n:8080 app:v1 > /dev/null; done
cat > /tmp/t-haproxy.cfg <<'END'
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend in
    bind :9100
    default_backend apps
backend apps
    balance roundrobin
    option httpchk GET /
    server one 127.0.0.1:9101 check inter 500ms
    server two 127.0.0.1:9102 check inter 500ms
    server three 127.0.0.1:9103 check inter 500ms
END
haproxy -c -f /tmp/t-haproxy.cfg > /dev/null
haproxy -D -f /tmp/t-haproxy.cfg -p /run/t-haproxy.pid
ask() { for n in $(seq 9); do curl -s --max-time 4 http://127.0.0.1:9100/; done | grep -o 'greeting: app[123]' | sort -u | wc -l; }
await() { for n in $(seq 60); do test "$(ask)" = "$1" && return; sleep 0.5; done; return 1; }
await 3
docker stop -t 1 t-app2 > /dev/null
await 2
docker start t-app2 > /dev/null
await 3
echo done
# tidy up
kill "$(cat /run/t-haproxy.pid)"; docker rm -f t-app1 t-app2 t-app3; rm -f /tmp/t-haproxy.cfg
