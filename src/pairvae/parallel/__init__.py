"""Independent tasks, run at the same time: in processes of this machine or on a Dask cluster (level 4)."""
