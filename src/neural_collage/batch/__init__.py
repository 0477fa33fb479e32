"""Batch processing of picture collections: parallel, resumable; not the work on one picture.

`stores` and `tables` hold sources and sinks, `locations` opens them by path or URL. `tasks` defines
the work on one item, `engines` and `cluster` run it in parallel, `manifest` records the results,
and `runner` combines them.
"""
