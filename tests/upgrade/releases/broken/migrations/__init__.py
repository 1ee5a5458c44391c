from tests.upgrade.releases.backfill import migrations

__path__ += migrations.__path__
