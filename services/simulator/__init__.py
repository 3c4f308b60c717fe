"""A simulated Bordeaux: devices that publish over MQTT. Knows MQTT and formats, nothing of Garonne."""
