# The engine's name server: a container's name, an alias that several share, what another network does not know, and the answer for nobody.
docker network create t-net > /dev/null; docker network create t-other > /dev/null
for n in 1 2 3; do docker run -d --name t-web$n --network t-net --network-alias web -e GREETING=web$n app:v1 > /dev/null; done
docker run -d --name t-alone --network t-other app:v1 > /dev/null
docker run --rm --network t-net base cat /etc/resolv.conf | grep -q 127.0.0.11
docker run --rm --network t-net base nslookup t-web1 | grep -q "$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' t-web1)"
test "$(docker run --rm --network t-net base nslookup web | grep -c '^Address: 10')" = 3
never docker run --rm --network t-other base nslookup t-web1
never docker run --rm --network t-net base nslookup nosuch
docker run --rm --network t-net base wget -qO- http://web:8080/ | grep -q 'greeting: web'
pid=$(docker inspect -f '{{.State.Pid}}' t-web1)
nsenter -t $pid -n dig +short @127.0.0.11 t-web2 | grep -q '^10\.'
nsenter -t $pid -n ss -lun | grep -q 127.0.0.11
docker network disconnect t-net t-web3
test "$(docker run --rm --network t-net base nslookup web | grep -c '^Address: 10')" = 2
echo done
# tidy up
docker rm -f t-web1 t-web2 t-web3 t-alone; docker network rm t-net t-other
