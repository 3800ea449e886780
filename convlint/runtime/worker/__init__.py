"""The worker process in which user code runs, its client, and the watcher of each job."""
