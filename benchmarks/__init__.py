"""What Runwire costs, as ratios within one run on one machine. See README.md."""
