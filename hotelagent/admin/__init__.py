"""The two admin sites (hotels and platform), their menu and start page, and the base classes of admin pages."""
