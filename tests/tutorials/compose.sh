# Two services in one file: a name for each, a dependence that waits for health, more copies of one, and all of it gone again.
mkdir -p /tmp/t-compose; cd /tmp/t-compose
cat > compose.yaml <<'END'
services:
  back:
    image: app:v1
    environment: {GREETING: from-compose}
    healthcheck: {test: ["CMD", "python3", "-c", "import urllib.request as u; u.urlopen('http://localhost:8080')"], interval: 1s, retries: 60}
  front:
    image: base
    command: sh -c 'wget -qO- http://back:8080/; sleep 1000'
    init: true
    depends_on: {back: {condition: service_healthy}}
END
docker compose up -d > /dev/null 2>&1
docker compose logs front | grep -q from-compose
docker compose up -d --scale back=3 > /dev/null 2>&1
test "$(docker compose ps -q back | wc -l)" = 3
docker compose exec -T front nslookup back | grep -c '^Address: 10' | grep -qx 3
docker compose down -t 1 > /dev/null 2>&1
test -z "$(docker ps -aq --filter label=com.docker.compose.project=t-compose)"
echo done
# tidy up
cd /; rm -rf /tmp/t-compose
