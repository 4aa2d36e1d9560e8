"""Labels and annotations by which people and the operator know its objects again."""

from __future__ import annotations

DEPLOYMENT = "modelramp.dev/deployment"
REVISION = "modelramp.dev/revision"
VERSION = "modelramp.dev/version"
APEX = "modelramp.dev/apex"
DIGEST = "modelramp.dev/digest"
PORT = "modelramp.dev/port"
STABLE = "modelramp.dev/stable-revision"
MANAGED_BY = "app.kubernetes.io/managed-by"
