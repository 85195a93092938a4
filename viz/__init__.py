"""Pictures, scenes and reports from results; reads results only."""
