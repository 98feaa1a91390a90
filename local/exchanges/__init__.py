"""Exchanges that run on this machine: real servers, invented markets."""
