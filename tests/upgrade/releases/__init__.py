"""Releases of the app `notes`. They rename the column `text` to `body` as deploy/runbook.md describes.

| release | migrations | code |
| --- | --- | --- |
| first | creates the column `text` | uses `text` |
| expand | adds the column `body` | writes both, reads `text` |
| backfill | fills `body`, makes it required, gives `text` a default | writes both, reads `body` |
| contract | removes `text` from the model only | uses `body` |
| drop | drops the column `text` | uses `body` |
| naive | renames the column in one step | uses `body` |

The release `broken` is `backfill` with a mistake: each request for notes fails. The release `naive` follows `first`. It
is the negative control of the tests: the code of `first` fails with its schema.

A release has the migrations of the releases before it, because its package `migrations` also searches their folders.
"""
