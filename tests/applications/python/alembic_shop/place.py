"""Where the shop's database is, and the steps that are reported of it."""

from __future__ import annotations

import os

from reporting import Programme
from sqlalchemy import create_engine

URL = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
engine = create_engine(URL)
# A connection that failed amid a transaction is not used again.
programme = Programme(afterwards=engine.dispose)
