"""What people look at: the HTML page, anomaly maps as files."""
