"""The feed: a plant that sends telemetry, with hidden properties, errors of sensors, faults and a bad link."""
