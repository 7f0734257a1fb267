"""What every training stage shares: its folder, data, weights, the trainer's loop and the finished checkpoint."""
