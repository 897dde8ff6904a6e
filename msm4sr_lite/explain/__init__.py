"""What moved a vector or a score: measured by taking something away."""
