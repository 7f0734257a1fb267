"""Training: both systems, from base model to served checkpoint."""
