# The same image by three programs below docker: containerd's own client, an OCI runtime with a bundle, and the engine's task seen there.
docker run -d --name t-web app:v1 > /dev/null
id=$(docker inspect -f '{{.Id}}' t-web)
ctr --namespace moby tasks list | grep -q "$id.*RUNNING"
ctr --namespace moby containers list | grep -q "$id"
crun --root /run/docker/runtime-runc/moby list | grep -q "$id"
docker save base | ctr images import - > /dev/null
image=$(ctr images list -q | grep base)
ctr run --rm --snapshotter native "$image" t-task uname -n | grep -q .
mkdir -p /tmp/t-bundle/rootfs
docker export t-web | tar -x -C /tmp/t-bundle/rootfs
cd /tmp/t-bundle
crun spec
sed -i 's/"terminal": true/"terminal": false/; s/"sh"/"hostname"/' config.json
crun run t-crun | grep -q crun
docker info --format '{{.DefaultRuntime}}' | grep -q crun
pstree -p 1 | grep -q containerd-shim
echo done
# tidy up
cd /; ctr images rm "$image" > /dev/null; docker rm -f t-web; rm -rf /tmp/t-bundle
