"""The fields that Kubernetes knows, by the type of object, as far as a pod's manifest can have them.

With these a field that is not read here can be called what it is: one of Kubernetes, or a misspelling.  The names are those of the API of
Kubernetes 1.37; source: the models of its official Python client (``kubernetes`` 37.0.2, Apache License 2.0).
"""

from __future__ import annotations

KNOWN: dict[str, tuple[str, ...]] = {
    name: tuple(fields.split())
    for name, fields in {
        "Pod": "apiVersion kind metadata spec status",
        "Deployment": "apiVersion kind metadata spec status",
        "DeploymentSpec": """minReadySeconds paused progressDeadlineSeconds replicas revisionHistoryLimit selector strategy template""",
        "LabelSelector": "matchExpressions matchLabels",
        "DeploymentStrategy": "rollingUpdate type",
        "RollingUpdateDeployment": "maxSurge maxUnavailable",
        "PodTemplateSpec": "metadata spec",
        "Service": "apiVersion kind metadata spec status",
        "ServiceSpec": """allocateLoadBalancerNodePorts clusterIP clusterIPs externalIPs externalName externalTrafficPolicy
            healthCheckNodePort internalTrafficPolicy ipFamilies ipFamilyPolicy loadBalancerClass loadBalancerIP loadBalancerSourceRanges
            ports publishNotReadyAddresses selector sessionAffinity sessionAffinityConfig trafficDistribution type""",
        "ServicePort": "appProtocol name nodePort port protocol targetPort",
        "SessionAffinityConfig": "clientIP",
        "ClientIPConfig": "timeoutSeconds",
        "ConfigMap": "apiVersion binaryData data immutable kind metadata",
        "Secret": "apiVersion data immutable kind metadata stringData type",
        "List": "apiVersion items kind metadata",
        "ObjectMeta": """annotations creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers generateName generation
            labels managedFields name namespace ownerReferences resourceVersion selfLink uid""",
        "PodSpec": """activeDeadlineSeconds affinity automountServiceAccountToken containers dnsConfig dnsPolicy enableServiceLinks
            ephemeralContainers evictionResponders hostAliases hostIPC hostNetwork hostPID hostUsers hostname hostnameOverride
            imagePullSecrets initContainers nodeName nodeSelector os overhead preemptionPolicy priority priorityClassName readinessGates
            resourceClaims resources restartPolicy runtimeClassName schedulerName schedulingGates schedulingGroup securityContext
            serviceAccount serviceAccountName setHostnameAsFQDN shareProcessNamespace subdomain terminationGracePeriodSeconds tolerations
            topologySpreadConstraints volumes""",
        "Container": """args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe resizePolicy
            resources restartPolicy restartPolicyRules securityContext startupProbe stdin stdinOnce terminationMessagePath
            terminationMessagePolicy tty volumeDevices volumeMounts workingDir""",
        "EnvVar": "name value valueFrom",
        "EnvVarSource": "configMapKeyRef fieldRef fileKeyRef resourceFieldRef secretKeyRef",
        "EnvFromSource": "configMapRef prefix secretRef",
        "KeySelector": "key name optional",
        "ObjectFieldSelector": "apiVersion fieldPath",
        "ContainerPort": "containerPort hostIP hostPort name protocol",
        "VolumeMount": "bindMountOptions mountPath mountPropagation name readOnly recursiveReadOnly subPath subPathExpr",
        "ResourceRequirements": "claims limits requests",
        "ResourceList": "cpu memory ephemeral-storage",
        "Probe": """exec failureThreshold grpc httpGet initialDelaySeconds periodSeconds successThreshold tcpSocket
            terminationGracePeriodSeconds timeoutSeconds""",
        "ExecAction": "command",
        "HTTPGetAction": "host httpHeaders path port protocol scheme",
        "HTTPHeader": "name value",
        "TCPSocketAction": "host port",
        "SleepAction": "seconds",
        "Lifecycle": "postStart preStop stopSignal",
        "LifecycleHandler": "exec httpGet sleep tcpSocket",
        "SecurityContext": """allowPrivilegeEscalation appArmorProfile capabilities privileged procMount readOnlyRootFilesystem runAsGroup
            runAsNonRoot runAsUser seLinuxOptions seccompProfile windowsOptions""",
        "PodSecurityContext": """appArmorProfile fsGroup fsGroupChangePolicy runAsGroup runAsNonRoot runAsUser seLinuxChangePolicy
            seLinuxOptions seccompProfile supplementalGroups supplementalGroupsPolicy sysctls windowsOptions""",
        "Sysctl": "name value",
        "HostAlias": "hostnames ip",
        "Capabilities": "add drop",
        "SeccompProfile": "localhostProfile type",
        "Volume": """awsElasticBlockStore azureDisk azureFile cephfs cinder configMap csi downwardAPI emptyDir ephemeral fc flexVolume
            flocker gcePersistentDisk gitRepo glusterfs hostPath image iscsi name nfs persistentVolumeClaim photonPersistentDisk
            portworxVolume projected quobyte rbd scaleIO secret storageos vsphereVolume""",
        "EmptyDirVolumeSource": "medium mode sizeLimit",
        "ConfigMapVolumeSource": "defaultMode defaultUser items name optional",
        "SecretVolumeSource": "defaultMode defaultUser items optional secretName",
        "KeyToPath": "key mode path user",
    }.items()
}
"""The names of an object's fields, by its type."""

FREE = ("ResourceList",)
"""The types whose fields are named by whoever runs the cluster."""

SAY_NOTHING: dict[str, dict[str, tuple[object, ...]]] = {
    "PodSpec": {
        "automountServiceAccountToken": (False,), "dnsPolicy": ("ClusterFirst", "Default"), "enableServiceLinks": (True, False),
        "hostIPC": (False,), "hostNetwork": (False,), "hostPID": (False,), "hostUsers": (True,), "os": ({"name": "linux"},),
        "preemptionPolicy": ("PreemptLowerPriority",), "priority": (0,), "schedulerName": ("default-scheduler",),
        "serviceAccount": ("default",), "serviceAccountName": ("default",), "setHostnameAsFQDN": (False,),
    },
    "DeploymentSpec": {"paused": (False,)},
    "ServiceSpec": {
        "externalTrafficPolicy": ("Cluster",), "internalTrafficPolicy": ("Cluster",), "ipFamilies": (["IPv4"],),
        "ipFamilyPolicy": ("SingleStack",),
    },
    "Container": {"terminationMessagePath": ("/dev/termination-log",), "terminationMessagePolicy": ("File",)},
    "ContainerPort": {"hostIP": ("0.0.0.0",)},  # noqa: S104  (what a cluster takes it for where it is left out)
    "ObjectFieldSelector": {"apiVersion": ("v1",)},
    "PodSecurityContext": {"fsGroupChangePolicy": ("Always", "OnRootMismatch"), "supplementalGroupsPolicy": ("Merge",)},
    "SecurityContext": {"privileged": (False,), "procMount": ("Default",)},
    "VolumeMount": {"mountPropagation": ("None",), "recursiveReadOnly": ("Disabled",)},
}  # fmt: skip
"""Values that say what holds here anyway, by the object's type and the field: those are passed over."""

WRITTEN_BY_A_CLUSTER = {
    "Pod": ("status",), "Deployment": ("status",), "Service": ("status",),
    "ObjectMeta": ("creationTimestamp", "generation", "managedFields", "selfLink", "uid"),
}  # fmt: skip
"""Fields that a cluster writes by itself; what a manifest has there it passes over, and so do we."""

VOLUME_SOURCES = frozenset(KNOWN["Volume"]) - {"name"}
"""The kinds of volume.  An empty one still is one, unlike other empty values."""


def says_nothing(kind: str, key: str, value: object) -> bool:
    """Whether a field that is not read can be passed over, because nothing would be different without it.

    Args:
        kind: the type of the object that has the field.
        key: the field's name.
        value: what it holds.
    """
    if key not in KNOWN.get(kind, ()):
        return False
    if key in WRITTEN_BY_A_CLUSTER.get(kind, ()) or value is None:
        return True
    if kind == "Volume" and key in VOLUME_SOURCES:
        return False
    same = SAY_NOTHING.get(kind, {}).get(key, ())
    return any(value == one and type(value) is type(one) for one in ({}, [], "", *same))
