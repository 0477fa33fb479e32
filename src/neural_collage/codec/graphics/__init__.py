"""Exact ranges over a base picture: same-size copies and colours; no base codec."""
