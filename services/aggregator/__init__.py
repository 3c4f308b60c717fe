"""Kafka to InfluxDB: readings to points, windows, and the KPIs over them."""
