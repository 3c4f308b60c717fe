"""MQTT to Kafka: take, normalise, produce, acknowledge."""
