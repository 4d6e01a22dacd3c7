"""Checks of what an environment meets outside its manifests: the cluster, its Secrets, database and buckets.

They see what the backend will see and say, before a pod fails, what is wrong and what cures it. None of them changes
anything but for one probe object in each bucket, which they delete again. Those of database and buckets need
`requirements-preflight.txt`; the others ask the cluster through kubectl.
"""
