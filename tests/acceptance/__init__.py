"""Everything real: processes, HTTP, Redis, signals. Only RunComfy is played, over real HTTP.

``stack`` starts and breaks the parts, ``origins`` asks the gateway as an origin does,
``receiver`` is called back, ``runcomfy`` orders faults and reads what was paid.
"""
