"""The records of Garonne: what travels on Kafka, as frozen pydantic models that do no I/O."""
