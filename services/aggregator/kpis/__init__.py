"""The KPI mechanism: one folder per indicator."""
