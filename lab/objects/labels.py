"""The labels by which pods are known, and those of a Deployment."""

POD = "course.pod"
"""The name of a pod; each of its containers has it."""
OWNER, UID = "course.deployment", "course.deployment.uid"
"""The name of its Deployment, and a number that no other Deployment has or had."""
TEMPLATE = "pod-template-hash"
"""Which template it was made from; Kubernetes' own label for that."""
