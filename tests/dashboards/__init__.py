"""Grafana's dashboards: their form, and every query on a real InfluxDB."""
