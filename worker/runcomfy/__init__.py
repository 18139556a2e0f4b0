"""RunComfy's Model API: its words and rules (``protocol``), and the client that sends."""
