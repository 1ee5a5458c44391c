"""Events about hotels, which are in the platform's and in the hotel's audit trail."""
