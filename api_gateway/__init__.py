"""Accepts, answers, writes; never calls RunComfy or an origin."""

from api_gateway.app import create_app

__all__ = ["create_app"]
