"""The local stack: every part of Darkroom under one supervisor, on this machine only.

``settings`` says what it may be told, ``parts`` what is started and how, ``supervisor`` keeps
that alive, ``stack`` puts them together; ``up`` and the demo only show what they do.
"""
