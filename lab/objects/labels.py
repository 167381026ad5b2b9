"""The labels by which a Deployment's pods are known."""

OWNER, UID = "course.deployment", "course.deployment.uid"
"""The name of its Deployment, and a number that no other Deployment has or had."""
TEMPLATE = "pod-template-hash"
"""Which template it was made from; Kubernetes' own label for that."""
