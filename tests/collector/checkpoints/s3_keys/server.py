"""moto's S3 on loopback: it knows one user's keys and what they may do, and checks signatures by botocore's own code.

A line of JSON says where the bucket is, and the keys. It ends with whoever started it.
"""

from __future__ import annotations

import json
import sys
from urllib.request import Request, urlopen

import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
_, port = server.get_host_and_port()
url = f"http://127.0.0.1:{port}"
anybody = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": "us-east-1", "endpoint_url": url}
iam = boto3.client("iam", **anybody)
iam.create_user(UserName="collector")
allowed = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::trail/*"}
policy = {"Version": "2012-10-17", "Statement": [allowed]}
iam.put_user_policy(UserName="collector", PolicyName="keeps", PolicyDocument=json.dumps(policy))
keys = iam.create_access_key(UserName="collector")["AccessKey"]
boto3.client("s3", **anybody).create_bucket(Bucket="trail")
# From now on nobody is let in without keys.
urlopen(Request(f"{url}/moto-api/reset-auth", b"0", {"content-type": "text/plain"}, method="POST")).close()
told = {"url": f"{url}/trail", "access": keys["AccessKeyId"], "secret": keys["SecretAccessKey"]}
sys.stdout.write(json.dumps(told) + "\n")
sys.stdout.flush()
sys.stdin.read()
server.stop()
