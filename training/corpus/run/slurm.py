"""datatrove's executor for Slurm without the job that merges its statistics: our manifests hold the counts."""

from datatrove.executor import SlurmPipelineExecutor


class QuietSlurmExecutor(SlurmPipelineExecutor):  # type: ignore[misc]
    """Submits the array of tasks, and nothing after it."""

    def launch_merge_stats(self) -> None:
        """Submit nothing."""
