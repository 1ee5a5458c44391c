from tests.upgrade.releases.first import migrations

__path__ += migrations.__path__
