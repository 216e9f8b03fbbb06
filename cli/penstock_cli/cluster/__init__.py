"""What people do on a cluster by the credentials of their kubeconfig: look at gates, try policies, suspend, resume.

What doesn't belong: requests for approval (`penstock_cli.cluster_requests`), what works without a cluster.
"""
