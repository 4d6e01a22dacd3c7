"""Checks of what an environment meets outside its manifests: database, buckets and certificates, tried from here.

They see what the backend will see and say, before a pod fails, what is wrong and what cures it. None of them changes
anything but for one probe object in each bucket, which they delete again. They need `requirements-preflight.txt`.
"""
