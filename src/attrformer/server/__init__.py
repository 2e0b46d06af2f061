"""The HTTP service: a recommender behind a JSON API, with a page at `/`.

The paths are `/v1/recommend`, `/v1/explain` and `/v1/similar`. Nothing here knows how to recommend; a request becomes
a call of `Recommender` and its table becomes JSON. What is here is what a service needs: one thread that answers
waiting requests together, limits, a change of models while requests run, figures for Prometheus and logs without user
data. Needs the extra `serve`.
"""

from __future__ import annotations

from attrformer.server.options import ServeOptions
from attrformer.server.server import serve

__all__ = ["ServeOptions", "serve"]
