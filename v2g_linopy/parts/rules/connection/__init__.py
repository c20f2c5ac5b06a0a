"""What a point of delivery may exchange, and what its meter costs."""
