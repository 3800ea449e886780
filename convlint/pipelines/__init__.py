"""From a request to a report: files that are linted, models that are run, sweeps and suggestions."""
