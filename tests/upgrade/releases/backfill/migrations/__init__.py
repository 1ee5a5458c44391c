from tests.upgrade.releases.expand import migrations

__path__ += migrations.__path__
