"""What the drawings of the course are made from; ``course.drawings`` writes and shows them."""
