# A pod made with podman: two containers with one localhost, its manifest, and the same pod from that manifest; a network with names.
docker save app:v1 base | podman load -q > /dev/null
app=$(podman images -n --format '{{.Repository}}:{{.Tag}}' | grep -m1 app:v1); base=$(podman images -n --format '{{.Repository}}:{{.Tag}}' | grep -m1 base)
podman pod create --name t-pod -p 9110:8080 > /dev/null
podman run -d --pod t-pod --name t-web "$app" > /dev/null
podman run --rm --pod t-pod "$base" sh -c 'for n in $(seq 50); do wget -qO- http://127.0.0.1:8080 && exit; sleep 0.3; done' | grep -q container
curl -s --retry 20 --retry-all-errors --retry-delay 1 http://localhost:9110 | grep -q container
podman kube generate t-pod > /tmp/t-pod.yaml
grep -q 'kind: Pod' /tmp/t-pod.yaml
podman pod rm -f -t 0 t-pod > /dev/null
podman network create t-pnet > /dev/null
podman run -d --name t-named --network t-pnet "$app" > /dev/null
podman run --rm --network t-pnet "$base" nslookup t-named | grep -q Address
podman stats --no-stream --format '{{.Name}}' t-named | grep -q t-named
echo done
# tidy up
podman rm -f -t 0 t-named; podman network rm t-pnet; rm -f /tmp/t-pod.yaml
