from tests.upgrade.releases.contract import migrations

__path__ += migrations.__path__
