"""Callbacks: how they are signed (``signing``), where they may go, and the client that sends."""
