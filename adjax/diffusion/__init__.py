"""Diffusion as pure functions: schedules, the forward process, losses, samplers. Networks and noises are arguments."""
