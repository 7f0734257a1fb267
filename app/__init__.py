"""The ground floor: what training, evaluation, server and ui share. No torch, no web framework."""
