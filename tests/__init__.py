"""Tests: each is a promise, named as one."""
