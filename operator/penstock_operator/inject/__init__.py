"""What a pod must become so that its database traffic passes the sidecar: from an AdmissionReview to a JSON patch.

Pure: raw dicts in and out (typed models would strip fields that they don't know), no I/O, no clock. Serving it over
HTTP and watching the resources belongs in `penstock_operator.control`.
"""
