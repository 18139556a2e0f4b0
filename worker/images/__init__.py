"""Images that inputs name: what their first bytes tell (``head``), and who fetches these."""
