"""Where a request came from, whoever handed it on. Called by jobs/front_door, which counts requests by it.

API Gateway tells who connected to it. Of a request that came by our CloudFront distribution that is one of CloudFront's
edges, which a whole region shares: counted by it, one visitor would use up what all of them have. The distribution adds
a secret to what it hands on, so that nobody else's word is taken for its own.

    X-Forwarded-For: <whatever the client made up>, <the viewer, says CloudFront>, <the edge, says API Gateway>

Source: Request and response behavior for custom origins, "Client IP addresses", docs.aws.amazon.com/AmazonCloudFront.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

from marketdata.serve.gateway_events import header

EDGE_HEADER = "x-marketdata-edge"
"""What carries the secret. A viewer that sends it is overruled by CloudFront's own."""


def viewer_address(event: Mapping[str, Any], edge_secret: str | None) -> str:
    """The address as the gateway saw it; or, of a request that brings the secret of our edge, as that edge saw it."""
    peer = str(event["requestContext"]["http"].get("sourceIp") or "")
    if not (edge_secret and _is_same_secret(header(event, EDGE_HEADER) or "", edge_secret)):
        return peer
    hops = [hop.strip() for hop in (header(event, "x-forwarded-for") or "").split(",")]
    # Each hop adds, at the end, who connected to it. If the last is not the gateway's, nothing is known of the others.
    return hops[-2] if len(hops) > 1 and _is_same_address(hops[-1], peer) else peer


def _is_same_secret(presented: str, secret: str) -> bool:
    """By digests of one length, so the time taken tells nothing of either."""
    digests = (sha256(one.encode(errors="surrogatepass")).digest() for one in (presented, secret))
    return hmac.compare_digest(*digests)


def _is_same_address(one: str, other: str) -> bool:
    """IPv6 has several spellings of an address."""
    try:
        return ip_address(one) == ip_address(other)
    except ValueError:
        return False
