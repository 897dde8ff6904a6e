"""What ``run.py`` needs before anything is installed: standard library only, readable by 3.8."""
