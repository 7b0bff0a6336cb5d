# Does with prometheus_client what standard input says: a line of JSON with the
# settings, then a line for each call. Writes for each call a line of JSON: "ok",
# or the error's text.
import json
import sys

import prometheus_client as client
from prometheus_client.exposition import basic_auth_handler, default_handler, tls_auth_handler

VERBS = {"push": client.push_to_gateway, "pushAdd": client.pushadd_to_gateway, "delete": client.delete_from_gateway}


def registry_of(call):
    """A gauge for each name, and with all also the other types."""
    registry = client.CollectorRegistry()
    for name, value in call.get("metrics", {}).items():
        client.Gauge(name, "help of " + name, registry=registry).set(value)
    if call.get("all"):
        client.Counter("c", "c", ["l"], registry=registry).labels('a "b"\n\\').inc(2)
        client.Histogram("h", "h", buckets=[1, 5], registry=registry).observe(3)
        client.Summary("s", "s", registry=registry).observe(4)
        client.Info("i", "i", registry=registry).info({"version": "1"})
        client.Enum("e", "e", states=["on", "off"], registry=registry).state("on")
    return registry


def handler_of(plan):
    def with_password(url, method, timeout, headers, data):
        return basic_auth_handler(url, method, timeout, headers, data, plan["user"], plan["password"])

    def with_certificate(url, method, timeout, headers, data):
        return tls_auth_handler(url, method, timeout, headers, data, plan["cert"], plan["key"], cafile=plan["ca"])

    if plan.get("cert"):
        return with_certificate
    return with_password if plan.get("user") else default_handler


def push(plan, call):
    grouping = client.instance_ip_grouping_key() if call.get("instanceIP") else call.get("grouping")
    args = [plan["url"], call["job"]]
    if call["verb"] != "delete":
        args.append(registry_of(call))
    try:
        VERBS[call["verb"]](*args, grouping_key=grouping, timeout=20, handler=handler_of(plan))
    except Exception as err:
        return str(err)
    return "ok"


def main():
    plan = json.loads(sys.stdin.readline())
    for line in sys.stdin:
        print(json.dumps(push(plan, json.loads(line))), flush=True)


main()
