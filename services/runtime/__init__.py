"""What every service needs to run: settings, telemetry, life cycle. Imports no service."""
