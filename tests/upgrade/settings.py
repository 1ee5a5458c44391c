"""Settings of one release of the deployment in the tests of rolling upgrades.

The environment variable UPGRADE_RELEASE names the release: a package of tests.upgrade.releases. The releases differ in
their version of one app, `notes`, whose table is in the schema of each hotel.
"""

import os

from hotelagent.settings import base, development
from tenants.database import placement

globals().update({name: value for name, value in vars(development).items() if name.isupper()})

RELEASE = os.environ["UPGRADE_RELEASE"]
INSTALLED_APPS = [*base.INSTALLED_APPS, f"tests.upgrade.releases.{RELEASE}"]
HOTEL_URLCONF = "tests.upgrade.urls"
placement.APPS["notes"] = placement.Placement.HOTEL
