"""Callbacks: how they are signed (``signing``), and the client that sends them."""
