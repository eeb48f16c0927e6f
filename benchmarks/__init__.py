"""Speed against peers (`bench_<topic>.py`) and the papers' claims measured (`reproduce.py`)."""
