"""The live twin: telemetry in, state and forecast out."""
