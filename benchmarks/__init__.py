"""How much local time and memory a call takes, against every other way to make it: `python -m benchmarks`."""
