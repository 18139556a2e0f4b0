"""The darkroom command, the local stack, the simulator and the inspector."""
